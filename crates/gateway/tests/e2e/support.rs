//! What the tests here share.

pub(crate) mod browser;
pub(crate) mod dev;
pub(crate) mod flow;
pub(crate) mod home;
pub(crate) mod mcp;
#[expect(dead_code, reason = "the auth-server's own tests need more of it")]
#[path = "../../../auth-server/tests/it/support/names.rs"]
pub(crate) mod names;
#[expect(dead_code, reason = "the executable's own tests need more of it")]
#[path = "../it/support/news.rs"]
pub(crate) mod news;
pub(crate) mod person;
pub(crate) mod process;
pub(crate) mod published;
pub(crate) mod relay;
#[expect(dead_code, reason = "the auth-server's own tests need more of it")]
#[path = "../../../auth-server/tests/it/support/signer.rs"]
pub(crate) mod signer;
pub(crate) mod traefik;
pub(crate) mod world;
