//! Which setting was probably meant by a name that is none.

use super::variables::VARIABLES;

/// How many characters may be wrong in a name that is taken for another.
const TYPOS: usize = 2;

/// The setting that was probably meant.
pub(crate) fn suggestion(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_uppercase();
    VARIABLES
        .iter()
        .filter_map(|v| Some((distance(name.as_bytes(), v.name.as_bytes())?, v.name)))
        .min()
        .filter(|(_, best)| best.len() >= 6)
        .map(|(_, best)| best)
}

/// How many bytes must be changed, added or removed to turn one text into the other (Levenshtein), if those are typos.
/// Every variable of the environment is compared with every setting, so what is something else is given up early.
fn distance(a: &[u8], b: &[u8]) -> Option<usize> {
    if a.len().abs_diff(b.len()) > TYPOS {
        return None;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        let mut least = row[0];
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
            least = least.min(row[j + 1]);
        }
        if least > TYPOS {
            return None;
        }
    }
    Some(row[b.len()]).filter(|distance| *distance <= TYPOS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_is_recognised_and_other_programs_variables_are_not() {
        assert_eq!(suggestion("GITHUB_CLIENT_IDD"), Some("GITHUB_CLIENT_ID"));
        assert_eq!(suggestion("jwt_secert"), Some("JWT_SECRET"));
        assert_eq!(suggestion("ALLOWED_GITHUB_USER"), Some("ALLOWED_GITHUB_USERS"));
        for other in [
            "GITHUB_TOKEN",
            "GITHUB_SHA",
            "GITHUB_ACTIONS",
            "HOME",
            "LOGNAME",
            "POST",
            "HOSTS",
            "PATH",
        ] {
            assert_eq!(suggestion(other), None, "{other}");
        }
    }
}
