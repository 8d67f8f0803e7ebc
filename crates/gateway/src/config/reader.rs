//! Typed values out of what was written; what cannot be read becomes a fault, and the reading goes on.

use std::{fmt::Display, str::FromStr, time::Duration};

use mcp_gateway_model::secret::Secret;
use url::Url;

use super::{faults::Faults, sources::Sources};

/// Longer than anybody means: the units were probably mixed up.
const LONGEST: u64 = 10 * 366 * 86_400;

/// Reads settings one by one.
pub(crate) struct Reader<'a> {
    pub(crate) sources: &'a Sources,
    pub(crate) faults: &'a mut Faults,
    pub(crate) warnings: Vec<String>,
}

impl Reader<'_> {
    /// A setting's text, if it is given.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.sources
            .get(name)
            .map(|given| given.text.trim())
            .filter(|text| !text.is_empty())
    }

    /// Whether a setting is given.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.text(name).is_some()
    }

    /// A secret.
    pub(crate) fn secret(&self, name: &str) -> Option<Secret> {
        self.text(name).map(|text| Secret::presented(text.to_owned()))
    }

    /// A setting that has to be there.
    pub(crate) fn required(&mut self, name: &'static str) -> String {
        let text = self.text(name).map(str::to_owned);
        if text.is_none() {
            self.faults.add(name, "is not set");
        }
        text.unwrap_or_default()
    }

    /// A setting read by `parse`; `None` when it is not given, or is a fault.
    pub(crate) fn parsed<T, E: Display>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let parsed = parse(self.text(name)?);
        parsed
            .map_err(|error| self.faults.add(name, error.to_string()))
            .ok()
    }

    /// A whole number.
    pub(crate) fn number<T: FromStr>(&mut self, name: &'static str, default: T) -> T {
        self.parsed(name, |text| {
            text.parse()
                .map_err(|_| format!("must be a whole number within bounds, not \"{text}\""))
        })
        .unwrap_or(default)
    }

    /// A length of time in seconds, more than none.
    pub(crate) fn seconds(&mut self, name: &'static str) -> Option<Duration> {
        self.duration(name, 1)
    }

    /// A length of time in minutes, more than none.
    pub(crate) fn minutes(&mut self, name: &'static str) -> Option<Duration> {
        self.duration(name, 60)
    }

    fn duration(&mut self, name: &'static str, unit: u64) -> Option<Duration> {
        self.parsed(name, |text| match text.parse::<u64>() {
            Ok(0) => Err("must be more than 0".to_owned()),
            Ok(number) if number.saturating_mul(unit) > LONGEST => Err("is longer than ten years".to_owned()),
            Ok(number) => Ok(Duration::from_secs(number * unit)),
            Err(_) => Err(format!("must be a whole number, not \"{text}\"")),
        })
    }

    /// Yes or no.
    pub(crate) fn boolean(&mut self, name: &'static str, default: bool) -> bool {
        self.parsed(name, |text| match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(true),
            "false" | "0" | "no" | "off" => Ok(false),
            _ => Err(format!("must be true or false, not \"{text}\"")),
        })
        .unwrap_or(default)
    }

    /// An http(s) address without query and fragment.
    pub(crate) fn url(&mut self, name: &'static str, default: &'static str) -> Option<Url> {
        let given = self.parsed(name, |text| match Url::parse(text) {
            Ok(url) if !matches!(url.scheme(), "http" | "https") => Err("must begin with https://"),
            Ok(url) if !url.username().is_empty() || url.password().is_some() => {
                Err("must not hold a password")
            }
            Ok(url) if url.query().is_some() || url.fragment().is_some() => {
                Err("must have no query and no fragment")
            }
            Ok(url) => Ok(url),
            Err(_) => Err("must be an address such as https://github.com"),
        });
        given.or_else(|| Url::parse(default).ok())
    }

    /// Two names of one setting: what the first gives, else the second. Both with different values are a fault.
    pub(crate) fn either<T: PartialEq>(
        &mut self,
        first: (&str, Option<T>),
        second: (&str, Option<T>),
    ) -> Option<T> {
        if let (Some(a), Some(b)) = (&first.1, &second.1)
            && a != b
        {
            self.faults
                .add(first.0, format!("and {} are both set, and differ", second.0));
        }
        first.1.or(second.1)
    }
}
