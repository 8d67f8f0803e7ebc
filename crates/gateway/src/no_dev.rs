//! `dev` in an executable without the sandbox.

use crate::{cli::DevArgs, failure::Failure};

/// Explains itself.
///
/// # Errors
/// Always.
#[expect(clippy::unused_async, reason = "stands in for the real one")]
pub(crate) async fn run(_: &DevArgs) -> Result<(), Failure> {
    Err(Failure::Runtime(
        "this executable was built without the sandbox: get one with `cargo run --release -- dev`".to_owned(),
    ))
}
