//! Devices without a browser ([RFC 8628](https://www.rfc-editor.org/rfc/rfc8628)): one asks, a person types the code that
//! it shows into a page here and decides, the device comes back for its tokens.
//!
//! | module | what it does |
//! |---|---|
//! | `gate` | which clients may ask |
//! | `request` | the device authorization endpoint (§3.1, §3.2) |
//! | `user_code` | the code that is typed (§6.1) |
//! | `entry` | the page where it is typed (§3.3) |
//! | `decision` | what becomes of the request |
//!
//! Whoever can make somebody type a code gets tokens in their name (§5.4). So by default only clients may ask that the
//! operator knows, the code has to be typed (no `verification_uri_complete`), and the page warns.

mod decision;
mod entry;
mod gate;
mod request;
mod user_code;

use std::time::Duration;

pub(crate) use decision::{approve, deny};
pub(crate) use entry::{AS_ANOTHER, show, typed};
pub(crate) use gate::may_ask;
pub(crate) use request::device_authorization;
pub(crate) use user_code::UserCode;

/// How long a person has to type the code and decide.
pub(crate) const LIFETIME: Duration = Duration::from_secs(600);

/// How long a device has to wait between two questions, to begin with.
const INTERVAL: Duration = Duration::from_secs(5);
