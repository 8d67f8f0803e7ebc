//! What the verifier may remember.

use std::{num::NonZeroUsize, thread};

use mcp_gateway_verifier::CacheSettings;

use super::reader::Reader;

/// Both bounds; a server has as many threads as it is given processors (`dev` has two, and then
/// remembers less than it could).
pub(super) fn read(r: &mut Reader<'_>) -> CacheSettings {
    let defaults = CacheSettings::default();
    CacheSettings {
        entries: r.number("VERIFIER_CACHE_ENTRIES", defaults.entries),
        bytes: r.number("VERIFIER_CACHE_BYTES", defaults.bytes),
        threads: thread::available_parallelism().map_or(2, NonZeroUsize::get),
    }
}
