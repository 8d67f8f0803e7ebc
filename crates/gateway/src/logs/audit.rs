//! Audit lines: JSON as the logging library writes it, each written out before what it tells goes on.

use std::{
    cell::RefCell,
    fmt::{self, Write as _},
    time::{SystemTime, UNIX_EPOCH},
};

use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, layer::Context};

use super::{Sink, line};

thread_local! {
    static PAPER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Writes whatever it is given as lines to one place.
pub(super) struct AuditLines(pub(super) Sink);

impl<S: Subscriber> Layer<S> for AuditLines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        PAPER.with_borrow_mut(|paper| {
            paper.clear();
            write_line(event, now(), paper);
            // there is nowhere to complain that the log cannot be written
            let _lost = self.0.put(paper);
        });
    }
}

/// Microseconds since the epoch.
#[expect(
    clippy::disallowed_methods,
    reason = "the log tells when a line was written, to the microsecond"
)]
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

fn write_line(event: &Event<'_>, at: u64, paper: &mut Vec<u8>) {
    let about = event.metadata();
    paper.extend_from_slice(b"{\"timestamp\":\"");
    line::time(at, paper);
    paper.extend_from_slice(b"\",\"level\":\"");
    paper.extend_from_slice(about.level().as_str().as_bytes());
    paper.push(b'"');
    event.record(&mut Fields(paper));
    Fields(paper).text("target", about.target());
    paper.extend_from_slice(b"}\n");
}

/// Adds fields to an object in which there is something already.
struct Fields<'a>(&'a mut Vec<u8>);

impl Fields<'_> {
    fn name(&mut self, name: &str) {
        self.0.extend_from_slice(b",\"");
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":");
    }

    fn text(&mut self, name: &str, text: &str) {
        self.name(name);
        self.0.push(b'"');
        line::quote_json(text, self.0);
        self.0.push(b'"');
    }

    fn plain(&mut self, name: &str, value: impl fmt::Display) {
        let mut text = String::new();
        // a string takes whatever is written
        let _written = write!(text, "{value}");
        self.name(name);
        self.0.extend_from_slice(text.as_bytes());
    }
}

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.plain(field.name(), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.plain(field.name(), value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.plain(field.name(), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field.name(), &format!("{value:?}"));
    }
}
