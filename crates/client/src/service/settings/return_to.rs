//! Where browsers may be sent after a login.

use url::Url;

use super::read::{list, public_address};

/// Where browsers may be sent after a login: each entry covers its origin from its path down.
#[derive(Clone, Debug, Default)]
pub struct ReturnTargets(Vec<Url>);

impl ReturnTargets {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let entry = |text: &str| {
            let address = public_address(text).map_err(|problem| format!("\"{text}\" {problem}"))?;
            Url::parse(&address).map_err(|_| format!("\"{text}\" is not a URL"))
        };
        list(text).map(entry).collect::<Result<_, _>>().map(Self)
    }

    /// Reads a `return_to` that one of the entries covers.
    #[must_use]
    pub fn allow(&self, text: &str) -> Option<Url> {
        let url = Url::parse(text).ok()?;
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return None;
        }
        let covers = |entry: &Url| {
            let above = entry.path().trim_end_matches('/');
            let rest = url.path().strip_prefix(above);
            entry.origin() == url.origin()
                && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.0.iter().any(covers).then_some(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_sent_only_where_the_operator_says() {
        let targets = ReturnTargets::parse("https://app.example.com/done, http://localhost:3000").unwrap();
        for text in [
            "https://app.example.com/done",
            "https://app.example.com/done/?x=1",
            "https://APP.example.com:443/done/a",
            "http://localhost:3000/anything",
        ] {
            assert!(targets.allow(text).is_some(), "{text}");
        }
        for text in [
            "https://app.example.com/",
            "https://app.example.com/done-not",
            "https://app.example.com/done/../admin",
            "https://app.example.com.evil.com/done",
            "https://user@app.example.com/done",
            "https://app.example.com:8443/done",
            "http://app.example.com/done",
            "http://localhost:3001/",
            "//app.example.com/done",
            "/done",
            "javascript:alert(1)",
            "",
        ] {
            assert!(targets.allow(text).is_none(), "{text}");
        }
    }
}
