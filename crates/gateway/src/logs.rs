//! Where log lines go: standard error, and a file if one is named. Audit lines are always JSON.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::Arc,
};

use mcp_gateway_auth_server::audit;
use tracing::{Metadata, Subscriber, subscriber::Interest};
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

/// Begins to write the log.
///
/// # Errors
/// [`Failure::Runtime`] when the file cannot be opened.
pub(crate) fn begin(config: &LogConfig) -> Result<(), Failure> {
    let file = config.file.as_deref().map(open).transpose()?.map(Arc::new);
    let mut layers = vec![output(config, Sink(None))];
    layers.push(audit_lines(Sink(None)));
    if let Some(file) = file {
        layers.push(output(config, Sink(Some(Arc::clone(&file)))));
        layers.push(audit_lines(Sink(Some(file))));
    }
    Registry::default()
        .with(layers)
        .try_init()
        .map_err(|error| Failure::Runtime(format!("the log cannot be set up: {error}")))
}

fn open(path: &Path) -> Result<File, Failure> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o640)
        .open(path)
        .map_err(|error| Failure::Runtime(format!("LOG_FILE: {} cannot be written: {error}", path.display())))
}

type BoxedLayer = Box<dyn Layer<Registry> + Send + Sync>;

fn output(config: &LogConfig, sink: Sink) -> BoxedLayer {
    let filter = NotAudit(config.targets.clone());
    match config.format {
        LogFormat::Json => json(sink).with_filter(filter).boxed(),
        LogFormat::Text => fmt::layer()
            .with_ansi(sink.is_colourful())
            .with_writer(sink)
            .with_filter(filter)
            .boxed(),
    }
}

fn audit_lines(sink: Sink) -> BoxedLayer {
    json(sink)
        .with_filter(filter_fn(|metadata| metadata.target() == audit::TARGET))
        .boxed()
}

fn json<S>(sink: Sink) -> impl Layer<S> + Send + Sync
where
    S: Subscriber + for<'a> LookupSpan<'a>,
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
        metadata.target() != audit::TARGET && self.0.would_enable(metadata.target(), metadata.level())
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        if metadata.target() != audit::TARGET && self.0.would_enable(metadata.target(), metadata.level()) {
            Interest::always()
        } else {
            Interest::never()
        }
    }
}

/// A place for lines: the file, or standard error.
#[derive(Clone)]
struct Sink(Option<Arc<File>>);

impl Sink {
    fn is_colourful(&self) -> bool {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        self.0.is_none() && !plain && io::IsTerminal::is_terminal(&io::stderr())
    }
}

impl<'a> MakeWriter<'a> for Sink {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &self.0 {
            Some(file) => (&**file).write(bytes),
            None => io::stderr().write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
