//! What can be set for clients that cannot do what the specification says.

use super::reader::Reader;

/// Both as the specification has it unless set otherwise.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quirks {
    /// Whether authorization responses carry `iss`.
    pub(crate) response_iss: bool,
    /// Whether `/authorize`, `/token` and `/register` are at the origins of the protected servers too.
    pub(crate) legacy_endpoints: bool,
}

/// Reads both.
pub(super) fn read(r: &mut Reader<'_>) -> Quirks {
    Quirks {
        response_iss: r.boolean("AUTHORIZATION_RESPONSE_ISS", true),
        legacy_endpoints: r.boolean("LEGACY_ENDPOINTS", false),
    }
}
