//! How the line of a request looks: as the lines that the logging library writes, put together from pieces that are ready.

use std::net::IpAddr;

use crate::config::LogFormat;

/// Whose lines these are, for `LOG_LEVEL` and for whoever reads them.
pub(crate) const TARGET: &str = "mcp_oauth_gateway::request";

/// What is said of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line<'a> {
    /// When it was answered: microseconds since the epoch.
    pub(crate) at: u64,
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) status: u16,
    /// How long it took, in milliseconds.
    pub(crate) ms: u64,
    pub(crate) request_id: &'a str,
    pub(crate) client: IpAddr,
    /// Why it was refused, as a code.
    pub(crate) reason: Option<&'a str>,
    /// The same in words, if there are any.
    pub(crate) detail: Option<&'a str>,
}

/// The words of a line, but for what is in between; the reason and its detail are left out where there are none.
#[derive(Debug)]
pub(super) struct Words {
    format: LogFormat,
    /// Up to the time; then up to the method, and so on.
    time: String,
    method: String,
    path: String,
    status: String,
    ms: String,
    request_id: String,
    client: String,
    after_client: String,
    reason: String,
    detail: String,
    after_text: String,
    end: String,
}

impl Words {
    /// The words of a format, in colours if a person reads them.
    pub(super) fn new(format: LogFormat, colourful: bool) -> Self {
        match format {
            LogFormat::Json => Self::json(),
            LogFormat::Text => Self::text(colourful),
        }
    }

    fn json() -> Self {
        Self {
            format: LogFormat::Json,
            time: r#"{"timestamp":""#.to_owned(),
            method: r#"Z","level":"INFO","method":""#.to_owned(),
            path: r#"","path":""#.to_owned(),
            status: r#"","status":"#.to_owned(),
            ms: r#","ms":"#.to_owned(),
            request_id: r#","request_id":""#.to_owned(),
            client: r#"","client":""#.to_owned(),
            after_client: "\"".to_owned(),
            reason: r#","reason":""#.to_owned(),
            detail: r#","detail":""#.to_owned(),
            after_text: "\"".to_owned(),
            end: format!(",\"target\":\"{TARGET}\"}}\n"),
        }
    }

    fn text(colourful: bool) -> Self {
        let paint = |style: &str, text: &str| {
            if colourful {
                format!("\u{1b}[{style}m{text}\u{1b}[0m")
            } else {
                text.to_owned()
            }
        };
        let (dim, end_of_dim) = if colourful {
            ("\u{1b}[2m", "\u{1b}[0m")
        } else {
            ("", "")
        };
        let field = |name: &str| format!("{}{}", paint("3", name), paint("2", "="));
        let level = paint("32", " INFO");
        let target = format!("{}{}", paint("2", TARGET), paint("2", ":"));
        Self {
            format: LogFormat::Text,
            time: dim.to_owned(),
            method: format!("Z{end_of_dim} {level} {target} {}", field("method")),
            path: format!(" {}\"", field("path")),
            status: format!("\" {}", field("status")),
            ms: format!(" {}", field("ms")),
            request_id: format!(" {}", field("request_id")),
            client: format!(" {}", field("client")),
            after_client: String::new(),
            reason: format!(" {}\"", field("reason")),
            detail: format!(" {}\"", field("detail")),
            after_text: "\"".to_owned(),
            end: "\n".to_owned(),
        }
    }

    /// Adds `text` as it stands within quotation marks.
    fn quote(&self, text: &str, page: &mut Vec<u8>) {
        match self.format {
            LogFormat::Json => quote_json(text, page),
            LogFormat::Text => quote(text, |text| format!("{text:?}"), page),
        }
    }
}

/// What one writer remembers from line to line for one output: the pieces that are often the same again.
#[derive(Debug)]
pub(super) struct Pen {
    second: u64,
    /// The line up to the fraction of the second.
    start: Vec<u8>,
    asked: Asked,
    /// What was asked and answered, up to the name of the request.
    middle: Vec<u8>,
    client: IpAddr,
    /// The rest of a line without a reason.
    end: Vec<u8>,
}

/// What requests have in common.
#[derive(Debug, Default)]
struct Asked {
    method: String,
    path: String,
    status: u16,
    ms: u64,
}

impl Asked {
    fn is_in(&self, line: &Line<'_>) -> bool {
        (self.status, self.ms) == (line.status, line.ms)
            && self.path == line.path
            && self.method == line.method
    }
}

impl Pen {
    /// A pen for lines with these words.
    pub(super) fn new(words: &Words) -> Self {
        let nobody = IpAddr::from([0, 0, 0, 0]);
        Self {
            second: 0,
            start: start(0, words),
            asked: Asked::default(),
            middle: Vec::new(),
            client: nobody,
            end: end(nobody, words),
        }
    }

    /// Writes a line.
    pub(super) fn write(&mut self, line: &Line<'_>, words: &Words, page: &mut Vec<u8>) {
        let second = line.at / 1_000_000;
        if second != self.second {
            (self.second, self.start) = (second, start(second, words));
        }
        if self.middle.is_empty() || !self.asked.is_in(line) {
            self.ask(line, words);
        }
        if line.client != self.client {
            (self.client, self.end) = (line.client, end(line.client, words));
        }
        page.extend_from_slice(&self.start);
        page.extend_from_slice(&padded(line.at % 1_000_000));
        page.extend_from_slice(&self.middle);
        page.extend_from_slice(line.request_id.as_bytes());
        let Some(reason) = line.reason else {
            page.extend_from_slice(&self.end);
            return;
        };
        let client = self.end.strip_suffix(words.end.as_bytes());
        page.extend_from_slice(client.unwrap_or_default());
        for (name, text) in [(&words.reason, Some(reason)), (&words.detail, line.detail)] {
            if let Some(text) = text {
                page.extend_from_slice(name.as_bytes());
                words.quote(text, page);
                page.extend_from_slice(words.after_text.as_bytes());
            }
        }
        page.extend_from_slice(words.end.as_bytes());
    }

    fn ask(&mut self, line: &Line<'_>, words: &Words) {
        self.asked.method.replace_range(.., line.method);
        self.asked.path.replace_range(.., line.path);
        (self.asked.status, self.asked.ms) = (line.status, line.ms);
        self.middle.clear();
        self.middle.extend_from_slice(words.method.as_bytes());
        self.middle.extend_from_slice(line.method.as_bytes());
        self.middle.extend_from_slice(words.path.as_bytes());
        words.quote(line.path, &mut self.middle);
        self.middle.extend_from_slice(words.status.as_bytes());
        number(u64::from(line.status), &mut self.middle);
        self.middle.extend_from_slice(words.ms.as_bytes());
        number(line.ms, &mut self.middle);
        self.middle.extend_from_slice(words.request_id.as_bytes());
    }
}

/// Adds `text` as it stands within the quotation marks of JSON.
pub(super) fn quote_json(text: &str, page: &mut Vec<u8>) {
    quote(text, |text| serde_json::Value::from(text).to_string(), page);
}

fn quote(text: &str, quoted: impl Fn(&str) -> String, page: &mut Vec<u8>) {
    let is_plain = |b: u8| matches!(b, b' '..=b'~') && b != b'"' && b != b'\\';
    if text.bytes().all(is_plain) {
        page.extend_from_slice(text.as_bytes());
        return;
    }
    let quoted = quoted(text);
    let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    page.extend_from_slice(inner.unwrap_or_default().as_bytes());
}

/// Adds the time, so many microseconds after the epoch.
pub(super) fn time(micros: u64, page: &mut Vec<u8>) {
    page.extend_from_slice(date(micros / 1_000_000).as_bytes());
    page.push(b'.');
    page.extend_from_slice(&padded(micros % 1_000_000));
    page.push(b'Z');
}

/// A line up to the fraction of the second.
fn start(second: u64, words: &Words) -> Vec<u8> {
    format!("{}{}.", words.time, date(second)).into_bytes()
}

/// A line from the client on, if there is no reason.
fn end(client: IpAddr, words: &Words) -> Vec<u8> {
    format!("{}{client}{}{}", words.client, words.after_client, words.end).into_bytes()
}

/// A digit as it is written.
fn digit(n: u64) -> u8 {
    b'0' + u8::try_from(n % 10).unwrap_or_default()
}

/// Six digits.
fn padded(n: u64) -> [u8; 6] {
    [100_000, 10_000, 1_000, 100, 10, 1].map(|power| digit(n / power))
}

/// As many digits as it takes.
fn number(n: u64, page: &mut Vec<u8>) {
    if n >= 10 {
        number(n / 10, page);
    }
    page.push(digit(n));
}

/// `2026-11-21T10:25:17`, in the Gregorian calendar, so many seconds after the epoch. Years are counted from March here, so
/// that the day that some have more is their last.
fn date(second: u64) -> String {
    let (day, clock) = (second / 86_400 + 719_468, second % 86_400);
    let (era, day) = (day / 146_097, day % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next_year) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    let year = era * 400 + year + next_year;
    let (hour, minute, second) = (clock / 3_600, clock / 60 % 60, clock % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
}

#[cfg(test)]
mod tests;
