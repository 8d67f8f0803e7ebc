//! Where no browser of this machine can come back: the person pastes the address that their browser ended at.

use url::Url;

/// The parameters in what was pasted: the whole address, or what follows its question mark.
///
/// # Errors
/// [`BadPaste`] says what to paste instead.
pub fn query(pasted: &str) -> Result<String, BadPaste> {
    let pasted = pasted.trim().trim_matches(['"', '\'', '<', '>']);
    let query = match Url::parse(pasted) {
        Ok(url) => url.query().unwrap_or_default().to_owned(),
        Err(_) => pasted.trim_start_matches('?').to_owned(),
    };
    let mut names = url::form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name);
    if names.any(|name| name == "code" || name == "error") {
        Ok(query)
    } else {
        Err(BadPaste)
    }
}

/// Not the address of the last page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "that is not the address the browser ended at: it begins with http://127.0.0.1 and has \"code=\" or \"error=\" in it"
)]
pub struct BadPaste;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_taken_whole_or_from_its_question_mark_on() {
        for pasted in [
            " http://127.0.0.1:4000/callback?code=a&state=b \n",
            "\"http://127.0.0.1:4000/callback?code=a&state=b\"",
            "?code=a&state=b",
            "code=a&state=b",
        ] {
            assert_eq!(query(pasted).as_deref(), Ok("code=a&state=b"), "{pasted}");
        }
        let refused = query("http://127.0.0.1:4000/callback?error=access_denied&state=b");
        assert_eq!(refused.as_deref(), Ok("error=access_denied&state=b"));
    }

    #[test]
    fn anything_else_is_not() {
        for pasted in [
            "",
            "mcp_ac_abc",
            "https://auth.example.com/authorize?client_id=x",
            "https://example.com/",
        ] {
            assert_eq!(query(pasted), Err(BadPaste), "{pasted}");
        }
    }
}
