//! The person's part of a login: their browser is opened, and comes back to a listener on this machine
//! ([RFC 8252](https://www.rfc-editor.org/rfc/rfc8252)), or they paste the address that it ended at.

mod browser;
mod desk;
mod loopback;
mod page;
pub mod paste;

pub use browser::{Browsers, NoBrowser};
pub use desk::{Desk, Person, Told};
pub use loopback::{Arrival, Loopback};
pub use page::Page;
