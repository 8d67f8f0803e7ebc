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
        let is_plain = |b: u8| matches!(b, b' '..=b'~') && b != b'"' && b != b'\\';
        if text.bytes().all(is_plain) {
            page.extend_from_slice(text.as_bytes());
            return;
        }
        let quoted = match self.format {
            LogFormat::Json => serde_json::Value::from(text).to_string(),
            LogFormat::Text => format!("{text:?}"),
        };
        let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        page.extend_from_slice(inner.unwrap_or_default().as_bytes());
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
mod tests {
    use super::*;

    fn written(line: &Line<'_>, words: &Words) -> String {
        let mut page = Vec::new();
        Pen::new(words).write(line, words, &mut page);
        String::from_utf8(page).unwrap()
    }

    #[test]
    fn a_date_is_that_of_the_calendar() {
        for (second, text) in [
            (0, "1970-01-01T00:00:00"),
            (951_782_399, "2000-02-28T23:59:59"),
            (951_782_400, "2000-02-29T00:00:00"),
            (1_709_164_800, "2024-02-29T00:00:00"),
            (1_735_689_599, "2024-12-31T23:59:59"),
            (1_795_256_717, "2026-11-21T10:25:17"),
            (4_107_542_400, "2100-03-01T00:00:00"),
            (4_107_542_399, "2100-02-28T23:59:59"),
        ] {
            assert_eq!(date(second), text);
        }
    }

    #[test]
    fn a_pen_that_has_written_other_lines_writes_the_same_as_a_new_one() {
        let plain = Line {
            at: 1_795_256_717_000_001,
            method: "GET",
            path: "/verify",
            status: 200,
            ms: 0,
            request_id: "given-by.the_proxy-1",
            client: "192.0.2.7".parse().unwrap(),
            reason: None,
            detail: None,
        };
        let others = [
            Line { at: 0, ..plain },
            Line {
                method: "POST",
                ..plain
            },
            Line {
                path: "/verif",
                ..plain
            },
            Line { path: "/\"", ..plain },
            Line { status: 401, ..plain },
            Line { ms: 17, ..plain },
            Line {
                request_id: "another",
                ..plain
            },
            Line {
                client: "2001:db8::1".parse().unwrap(),
                ..plain
            },
            Line {
                reason: Some("expired"),
                ..plain
            },
            Line {
                reason: Some("malformed"),
                detail: Some("no \\"),
                ..plain
            },
        ];
        for format in [LogFormat::Json, LogFormat::Text] {
            let words = Words::new(format, false);
            let mut pen = Pen::new(&words);
            for other in others {
                for line in [plain, other, other, plain] {
                    let mut page = Vec::new();
                    pen.write(&line, &words, &mut page);
                    assert_eq!(String::from_utf8(page).unwrap(), written(&line, &words));
                }
            }
        }
    }

    #[test]
    fn a_pen_writes_each_line_with_its_own_time_and_address() {
        let words = Words::new(LogFormat::Text, false);
        let mut pen = Pen::new(&words);
        let mut page = Vec::new();
        for (at, client) in [
            (1, "192.0.2.7"),
            (1_999_999, "192.0.2.7"),
            (2_000_000, "2001:db8::1"),
        ] {
            let client = client.parse().unwrap();
            let line = Line {
                at,
                method: "GET",
                path: "/",
                status: 200,
                ms: 1234,
                request_id: "a",
                client,
                reason: None,
                detail: None,
            };
            pen.write(&line, &words, &mut page);
            assert!(page.ends_with(written(&line, &words).as_bytes()));
        }
        let text = String::from_utf8(page).unwrap();
        let times: Vec<_> = text.lines().map(|line| &line[..27]).collect();
        assert_eq!(
            times,
            [
                "1970-01-01T00:00:00.000001Z",
                "1970-01-01T00:00:01.999999Z",
                "1970-01-01T00:00:02.000000Z"
            ]
        );
        assert!(
            text.contains(" ms=1234 ") && text.ends_with("client=2001:db8::1\n"),
            "{text}"
        );
    }
}
