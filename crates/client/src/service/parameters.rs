//! The parameters of a request: from its address, and where a form is sent from that. None may be there twice.

use std::collections::BTreeMap;

use mcp_gateway_model::secret::Secret;
use url::{Url, form_urlencoded};

use super::fault::Fault;
use crate::http::Http;

/// The longest text of one parameter.
const LONGEST: usize = 16 * 1024;

/// The parameters. They have no `Debug` text: there are codes and tokens among them.
pub(super) struct Parameters(BTreeMap<String, String>);

impl Parameters {
    /// Reads the parameters of an address.
    ///
    /// # Errors
    /// A [`Fault`] with status 400 that names a parameter that is there twice, or too long.
    pub(super) fn read(query: &str) -> Result<Self, Fault> {
        Self(BTreeMap::new()).and_form(query)
    }

    /// The same with those of a form.
    ///
    /// # Errors
    /// As [`Parameters::read`].
    pub(super) fn and_form(mut self, form: &str) -> Result<Self, Fault> {
        for (name, value) in form_urlencoded::parse(form.as_bytes()) {
            if value.len() > LONGEST {
                return Err(Fault::request(format!("{} is too long.", shown(&name))));
            }
            if self.0.insert(name.to_string(), value.into_owned()).is_some() {
                return Err(Fault::request(format!("{} must be there once.", shown(&name))));
            }
        }
        Ok(self)
    }

    /// A parameter; an empty one is as good as none.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// A parameter that must be there.
    ///
    /// # Errors
    /// A [`Fault`] with status 400 that names it.
    pub(super) fn require(&self, name: &str) -> Result<&str, Fault> {
        self.get(name)
            .ok_or_else(|| Fault::request(format!("{name} is missing.")))
    }

    /// A parameter that opens something.
    pub(super) fn secret(&self, name: &str) -> Option<Secret> {
        self.get(name).map(|value| Secret::presented(value.to_owned()))
    }

    /// An address that must be there and that may be asked.
    ///
    /// # Errors
    /// A [`Fault`] with status 400 that names it.
    pub(super) fn target(&self, name: &str, http: &Http) -> Result<Url, Fault> {
        let url = Url::parse(self.require(name)?);
        let url = url.map_err(|_| Fault::request(format!("{name} must be a URL that begins with https.")))?;
        let allowed = http.settings().targets.allow(&url);
        allowed.map_err(|fault| Fault::request(format!("{name} cannot be asked: {fault}.")))?;
        Ok(url)
    }

    /// A parameter that is true or false.
    ///
    /// # Errors
    /// A [`Fault`] with status 400 that names it.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Fault> {
        match self.get(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Fault::request(format!("{name} must be true or false."))),
        }
    }
}

/// A name that a caller made up, short and plain enough to be shown.
fn shown(name: &str) -> String {
    let plain = name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_');
    let plain: String = plain.take(40).collect();
    if plain.is_empty() {
        "A parameter".to_owned()
    } else {
        plain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_there_once_or_not_at_all() {
        let read = Parameters::read("a=1&b=&c=x%20y").unwrap();
        assert_eq!(
            (read.get("a"), read.get("b"), read.get("c")),
            (Some("1"), None, Some("x y"))
        );
        let fault = Parameters::read("state=1&state=2").err().unwrap();
        assert_eq!(fault.description, "state must be there once.");
        let fault = Parameters::read("a=1").unwrap().and_form("a=1").err().unwrap();
        assert_eq!(fault.status.as_u16(), 400);
    }

    #[test]
    fn a_form_adds_to_the_address() {
        let read = Parameters::read("client_id=c")
            .unwrap()
            .and_form("refresh_token=r")
            .unwrap();
        assert_eq!(
            (read.require("client_id").unwrap(), read.get("refresh_token")),
            ("c", Some("r"))
        );
    }
}
