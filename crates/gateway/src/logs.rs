//! Where log lines go: standard error, and a file if one is named. Audit lines are always JSON. All lines are written at once
//! but those of requests, which are written [many at a time](requests).

mod audit;
pub(crate) mod line;
pub(crate) mod requests;

use std::{
    error::Error,
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use mcp_gateway_auth_server::audit::TARGET as AUDIT;
use tracing::{Level, Metadata, Subscriber, subscriber::Interest};
use tracing_subscriber::{
    Layer, Registry,
    filter::{Targets, filter_fn},
    fmt::{self, MakeWriter},
    layer::SubscriberExt,
    registry::LookupSpan,
    util::SubscriberInitExt,
};

use crate::{
    config::{LogConfig, LogFormat},
    failure::Failure,
};
use audit::AuditLines;
use line::Words;

/// Begins to write the log.
///
/// # Errors
/// [`Failure::Runtime`] when the file cannot be opened.
pub(crate) fn begin(config: &LogConfig) -> Result<(), Failure> {
    let mut sinks = vec![Sink::StandardError];
    sinks.extend(config.file.as_deref().map(open).transpose()?);
    let mut layers = Vec::new();
    for sink in &sinks {
        layers.push(output(config, sink.clone()));
        layers.push(audit_lines(sink.clone()));
    }
    let failure = |error: &dyn Error| Failure::Runtime(format!("the log cannot be set up: {error}"));
    Registry::default()
        .with(layers)
        .try_init()
        .map_err(|error| failure(&error))?;
    if !config.targets.would_enable(line::TARGET, &Level::INFO) {
        sinks.clear();
    }
    let of_requests = sinks.into_iter().map(|sink| {
        let words = Words::new(config.format, sink.is_colourful());
        (sink, words)
    });
    requests::begin(of_requests.collect()).map_err(|error| failure(&error))
}

fn open(path: &Path) -> Result<Sink, Failure> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o640)
        .open(path)
        .map(|file| Sink::File(Arc::new(Mutex::new(file))))
        .map_err(|error| Failure::Runtime(format!("LOG_FILE: {} cannot be written: {error}", path.display())))
}

type BoxedLayer = Box<dyn Layer<Registry> + Send + Sync>;

fn output(config: &LogConfig, sink: Sink) -> BoxedLayer {
    let filter = NotAudit(config.targets.clone());
    match config.format {
        LogFormat::Json => json(sink).with_filter(filter).boxed(),
        LogFormat::Text => {
            let colourful = sink.is_colourful();
            text(sink, colourful).with_filter(filter).boxed()
        }
    }
}

fn audit_lines(sink: Sink) -> BoxedLayer {
    AuditLines(sink)
        .with_filter(filter_fn(|metadata| metadata.target() == AUDIT))
        .boxed()
}

fn text<S, W>(sink: W, colourful: bool) -> impl Layer<S> + Send + Sync
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    fmt::layer().with_ansi(colourful).with_writer(sink)
}

fn json<S, W>(sink: W) -> impl Layer<S> + Send + Sync
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_writer(sink)
}

/// Everything that is enabled but audit lines.
struct NotAudit(Targets);

impl<S> tracing_subscriber::layer::Filter<S> for NotAudit {
    fn enabled(&self, metadata: &Metadata<'_>, _: &tracing_subscriber::layer::Context<'_, S>) -> bool {
        metadata.target() != AUDIT && self.0.would_enable(metadata.target(), metadata.level())
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        if metadata.target() != AUDIT && self.0.would_enable(metadata.target(), metadata.level()) {
            Interest::always()
        } else {
            Interest::never()
        }
    }
}

/// A place for lines.
#[derive(Clone, Debug)]
enum Sink {
    StandardError,
    File(Arc<Mutex<File>>),
}

impl Sink {
    fn is_colourful(&self) -> bool {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        matches!(self, Self::StandardError) && !plain && io::IsTerminal::is_terminal(&io::stderr())
    }

    /// Writes whole lines, with nothing of another thread between them.
    fn put(&self, lines: &[u8]) -> io::Result<()> {
        match self {
            Self::StandardError => io::stderr().lock().write_all(lines),
            Self::File(file) => file
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .write_all(lines),
        }
    }
}

impl<'a> MakeWriter<'a> for Sink {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Write for Sink {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        self.put(lines)?;
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tracing::info;

    use super::{line::Line, *};

    /// Lines kept in memory.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(lines);
            Ok(lines.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is left of the lines that a layer writes, without their times.
    fn by_layer(layer: impl FnOnce(Sink) -> BoxedLayer, act: impl FnOnce()) -> String {
        let file = tempfile::tempfile().unwrap();
        let sink = Sink::File(Arc::new(Mutex::new(file.try_clone().unwrap())));
        tracing::subscriber::with_default(Registry::default().with(layer(sink)), act);
        let (mut file, mut lines) = (file, String::new());
        io::Seek::rewind(&mut file).unwrap();
        io::Read::read_to_string(&mut file, &mut lines).unwrap();
        lines.lines().map(|line| without_time(line).0 + "\n").collect()
    }

    #[test]
    fn audit_lines_look_like_those_that_the_library_writes() {
        use mcp_gateway_auth_server::audit::{Event, Line};
        use mcp_gateway_model::id::{ClientId, RequestId, UserId};

        let (request_id, client) = (RequestId::generate(), ClientId::parse("a\"b\\c").unwrap());
        let act = || {
            let mut line = Line::new(Event::TokenRefused, &request_id);
            line.write();
            line.client = Some(&client);
            line.user = Some(UserId(u64::MAX));
            line.login = Some("octo\u{e9}\u{1b}[31m\ncat");
            line.resource = Some("https://mcp.example/\u{2028}x".into());
            line.reason = Some("code_unknown");
            line.write();
            tracing::warn!(target: AUDIT, number = -7, truth = true, debug = ?Some("x"), "a message");
        };
        let ours = by_layer(audit_lines, act);
        assert_eq!(ours, by_layer(|sink| json(sink).boxed(), act));
        assert_eq!(ours.lines().count(), 3);
    }

    /// What the logging library makes of the same.
    fn by_library(line: &Line<'_>, format: LogFormat, colourful: bool) -> String {
        let kept = Kept::default();
        let sink = kept.clone();
        let sink = move || sink.clone();
        let layer: BoxedLayer = match format {
            LogFormat::Json => json(sink).boxed(),
            LogFormat::Text => text(sink, colourful).boxed(),
        };
        tracing::subscriber::with_default(Registry::default().with(layer), || {
            info!(
                target: "mcp_oauth_gateway::request",
                method = %line.method,
                path = line.path,
                status = line.status,
                ms = line.ms,
                request_id = %line.request_id,
                client = %line.client,
                reason = line.reason,
                detail = line.detail,
            );
        });
        let lines = kept.0.lock().unwrap();
        String::from_utf8(lines.clone()).unwrap()
    }

    /// The line with its time and what was before and after it; the time itself is another each time.
    fn without_time(line: &str) -> (String, usize) {
        let time = line.find('T').unwrap() - "2026-11-21".len();
        let end = time + "2026-11-21T10:25:17.000001".len();
        (format!("{}{}", &line[..time], &line[end..]), time)
    }

    #[test]
    fn lines_of_requests_look_like_those_that_the_library_writes() {
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
        let lines = [
            plain,
            Line {
                path: "/a\"b\\c'd\u{7f}e\u{e9}f\u{1b}[31mg\nh",
                status: 404,
                ms: 30_001,
                client: "2001:db8::1".parse().unwrap(),
                ..plain
            },
            Line {
                method: "M-SEARCH",
                reason: Some("invalid_target"),
                detail: Some("\"x\" is\tnot one"),
                ..plain
            },
            Line {
                reason: Some("expired"),
                ..plain
            },
        ];
        for (format, colourful) in [
            (LogFormat::Json, false),
            (LogFormat::Text, false),
            (LogFormat::Text, true),
        ] {
            let words = Words::new(format, colourful);
            for line in &lines {
                let mut page = Vec::new();
                line::Pen::new(&words).write(line, &words, &mut page);
                let ours = String::from_utf8(page).unwrap();
                assert_eq!(
                    without_time(&ours),
                    without_time(&by_library(line, format, colourful))
                );
            }
        }
    }
}
