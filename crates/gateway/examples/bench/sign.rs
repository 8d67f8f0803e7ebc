//! The bare rate of signing, in a process of its own that is bound like the gateway.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use mcp_gateway_model::key::Algorithm;

use crate::{
    Answer, arguments,
    client::count,
    key::Key,
    progress::{now, result},
};

/// Signs what is as long as a token's message for a while, and prints how often a second.
///
/// # Errors
/// When the key cannot be read.
pub(crate) fn sign(arguments: &arguments::Sign) -> Answer<()> {
    let algorithm = Algorithm::parse(&arguments.algorithm).ok_or("there is no such algorithm")?;
    let key = Key::read(algorithm, STANDARD.decode(&arguments.key)?)?;
    let message = [b'm'; 550];
    let began = now();
    let end = began + Duration::from_millis(arguments.millis);
    let mut signatures = 0;
    while now() < end {
        key.sign(&message)?;
        signatures += 1;
    }
    result(&format!("{}", count(signatures) / began.elapsed().as_secs_f64()));
    Ok(())
}
