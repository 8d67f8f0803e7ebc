//! Names of requests.

use std::{cell::RefCell, fmt};

use super::BadId;
use crate::secret::random_text;

/// The name of one request, for the log, the answer and the error page. Taken from the proxy if it sent one, else new.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(String);

impl RequestId {
    /// A new name, the next of this thread's.
    #[must_use]
    pub fn generate() -> Self {
        thread_local! {
            static NAMES: RefCell<RequestIds> = RefCell::new(RequestIds::default());
        }
        NAMES.with_borrow_mut(|names| Self(names.next_name().to_owned()))
    }

    /// Reads a name that a proxy sent.
    ///
    /// # Errors
    /// [`BadId`] for one that does not [fit](Self::fits).
    pub fn parse(text: &str) -> Result<Self, BadId> {
        if Self::fits(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadId)
        }
    }

    /// Whether a name can be one: letters, digits, `-`, `_`, `.`; 8 to 64 characters. Anything else could break a log line or
    /// a page.
    #[must_use]
    pub fn fits(text: &str) -> bool {
        (8..=64).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// New names of requests: 72 random bits, then a number that counts up. They open nothing, so it is enough that no two are the
/// same and that nobody who has seen none can tell them beforehand; who has seen one can tell those that follow it on the same
/// thread. The random part is drawn again when the numbers are used up.
#[derive(Debug)]
pub struct RequestIds {
    name: [u8; Self::LENGTH],
    number: u32,
}

impl RequestIds {
    const LENGTH: usize = 16;
    /// How many characters are random.
    const RANDOM: usize = 12;
    /// How many names have the same random part.
    const NUMBERS: u32 = 1 << 24;
    /// The alphabet of base64url.
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    /// The next name: 16 characters of base64url.
    pub fn next_name(&mut self) -> &str {
        if self.number == Self::NUMBERS {
            *self = Self::default();
        }
        for (place, character) in self.name.iter_mut().skip(Self::RANDOM).enumerate() {
            let digit = self.number >> (18 - 6 * place) & 0x3f;
            *character = usize::try_from(digit)
                .ok()
                .and_then(|digit| Self::ALPHABET.get(digit).copied())
                .unwrap_or(b'A');
        }
        self.number += 1;
        str::from_utf8(&self.name).unwrap_or_default()
    }
}

impl Default for RequestIds {
    fn default() -> Self {
        let mut name = [b'A'; Self::LENGTH];
        for (character, random) in name.iter_mut().zip(random_text::<9>().bytes()) {
            *character = random;
        }
        Self { name, number: 0 }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn new_names_are_read_as_names_and_no_two_are_the_same() {
        let mut names = RequestIds::default();
        let many: BTreeSet<_> = (0..10_000).map(|_| names.next_name().to_owned()).collect();
        assert_eq!(many.len(), 10_000);
        let same = |name: &String| name[..RequestIds::RANDOM] == many.first().unwrap()[..RequestIds::RANDOM];
        assert!(many.iter().all(same), "one random part for all of them");
        for name in many {
            assert_eq!(RequestId::parse(&name).map(|id| id.to_string()), Ok(name));
        }
    }

    #[test]
    fn the_random_part_is_another_when_the_numbers_are_used_up_and_for_each_who_counts() {
        let mut names = RequestIds {
            number: RequestIds::NUMBERS - 1,
            ..RequestIds::default()
        };
        let last = names.next_name().to_owned();
        assert!(last.ends_with("____"), "{last}");
        let next = names.next_name().to_owned();
        assert!(next.ends_with("AAAA"), "{next}");
        let another = RequestIds::default().next_name().to_owned();
        let random: BTreeSet<_> = [last, next, another]
            .map(|name| name[..RequestIds::RANDOM].to_owned())
            .into();
        assert_eq!(random.len(), 3, "{random:?}");
    }

    #[test]
    fn threads_have_names_of_their_own() {
        let here = RequestId::generate();
        let there = std::thread::spawn(RequestId::generate).join().unwrap();
        assert_ne!(
            here.as_str()[..RequestIds::RANDOM],
            there.as_str()[..RequestIds::RANDOM]
        );
        assert_ne!(here, RequestId::generate());
    }

    #[test]
    fn what_could_break_a_line_or_a_page_is_no_name() {
        for text in [
            "short",
            "has a space in it",
            "quote\"quote",
            "line\nline",
            &"x".repeat(65),
        ] {
            assert_eq!(RequestId::parse(text), Err(BadId));
        }
    }
}
