//! What came back, and what a row says about it.

use serde_json::Value;

/// What curl printed.
#[derive(Debug)]
pub(super) struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    pub(super) body: Value,
}

impl Answer {
    /// Takes the head and the body apart. A body that is no JSON is a text.
    pub(super) fn parse(printed: &str) -> Self {
        let (head, body) = printed
            .split_once("\r\n\r\n")
            .unwrap_or_else(|| panic!("{printed}"));
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap();
        let headers = lines.map(|line| line.split_once(':').unwrap());
        Self {
            status: status.parse().unwrap(),
            headers: headers
                .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
                .collect(),
            body: serde_json::from_str(body).unwrap_or_else(|_| body.into()),
        }
    }

    /// A member of the body, or of what is in it: `members.name`.
    fn member(&self, path: &str) -> Result<&Value, String> {
        let found = self.body.pointer(&format!("/{}", path.replace('.', "/")));
        found.ok_or_else(|| format!("there is no {path}"))
    }

    fn header(&self, name: &str) -> Result<&str, String> {
        let found = self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        found
            .map(|(_, value)| value.as_str())
            .ok_or_else(|| format!("there is no header {name}"))
    }
}

/// What a row says: a status, and what the answer has.
pub(super) struct Expected<'a> {
    status: u16,
    claims: Vec<Claim<'a>>,
}

enum Claim<'a> {
    /// The body has a member.
    Has(&'a str),
    /// A member of the body is just this.
    Is(&'a str, &'a str),
    /// There is this in a member of the body.
    Names(&'a str, &'a str),
    /// The answer has a header.
    Header(&'a str),
    /// There is this in a header.
    HeaderNames(&'a str, &'a str),
}

impl<'a> Expected<'a> {
    /// Reads a cell such as: `400`: `error` is `invalid_request`, `error_description` names `code`, header `Allow`. Whatever
    /// cannot be read so is no claim that is tested, and does not belong there.
    pub(super) fn parse(cell: &'a str) -> Self {
        let pieces: Vec<_> = cell.split('`').collect();
        let (words, code): (Vec<_>, Vec<_>) = (
            pieces.iter().copied().step_by(2).collect(),
            pieces.iter().copied().skip(1).step_by(2).collect(),
        );
        let status = code.first().and_then(|status| status.parse().ok());
        let mut claims = Vec::new();
        let mut index = 1;
        while index < code.len() {
            let of_header = match words[index].trim_start_matches([':', ',']) {
                " " => false,
                " header " => true,
                other => panic!("{other:?} in {cell}"),
            };
            let (name, next) = (code[index], code.get(index + 1));
            let (claim, taken) = match (words[index + 1], next, of_header) {
                (" is ", Some(value), false) => (Claim::Is(name, value), 2),
                (" names ", Some(text), false) => (Claim::Names(name, text), 2),
                (" names ", Some(text), true) => (Claim::HeaderNames(name, text), 2),
                (_, _, false) => (Claim::Has(name), 1),
                (_, _, true) => (Claim::Header(name), 1),
            };
            claims.push(claim);
            index += taken;
        }
        assert_eq!(words.last(), Some(&""), "{cell}");
        Self {
            status: status.unwrap_or_else(|| panic!("no status: {cell}")),
            claims,
        }
    }

    /// Compares an answer with it; the error says what is otherwise.
    pub(super) fn compare(&self, answer: &Answer) -> Result<(), String> {
        if answer.status != self.status {
            return Err(format!("{} is not {}", answer.status, self.status));
        }
        self.claims.iter().try_for_each(|claim| claim.compare(answer))
    }
}

impl Claim<'_> {
    fn compare(&self, answer: &Answer) -> Result<(), String> {
        let (what, found, is_so) = match *self {
            Self::Has(member) => (member, text(answer.member(member)?), true),
            Self::Is(member, value) => {
                let found = text(answer.member(member)?);
                let is_so = found == value;
                (member, found, is_so)
            }
            Self::Names(member, part) => {
                let found = text(answer.member(member)?);
                let is_so = found.contains(part);
                (member, found, is_so)
            }
            Self::Header(name) => (name, answer.header(name)?.to_owned(), true),
            Self::HeaderNames(name, part) => {
                let found = answer.header(name)?.to_owned();
                let is_so = found.contains(part);
                (name, found, is_so)
            }
        };
        is_so.then_some(()).ok_or_else(|| format!("{what} is {found}"))
    }
}

/// A value as the page writes it: texts without quotation marks.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[test]
fn a_claim_that_is_not_so_is_found() {
    let answer =
        Answer::parse("HTTP/1.1 400 \r\nAllow: GET\r\n\r\n{\"error\":\"invalid_request\",\"of\":{\"n\":1}}");
    for (cell, is_so) in [
        ("`400`", true),
        ("`401`", false),
        ("`400`: `error`, `of.n` is `1`, header `allow`", true),
        ("`400`: `error` is `invalid_request`", true),
        ("`400`: `error` is `invalid`", false),
        ("`400`: `error` names `invalid`", true),
        ("`400`: `other`", false),
        ("`400`: header `Allow` names `GET`", true),
        ("`400`: header `Allow` names `PUT`", false),
        ("`400`: header `Location`", false),
    ] {
        assert_eq!(Expected::parse(cell).compare(&answer).is_ok(), is_so, "{cell}");
    }
}

#[test]
#[should_panic(expected = "perhaps")]
fn a_claim_that_nobody_can_test_is_refused() {
    Expected::parse("`400`: perhaps `error`");
}
