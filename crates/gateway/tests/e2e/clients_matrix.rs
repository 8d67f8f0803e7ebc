//! Real MCP clients, each played back: what it asks for and in which order, what it registers, how it writes `resource`,
//! where it is sent back to, how it refreshes; through consent and login to a call that the protected server answers.
//! `docs/clients.md` has a row for each.

mod bridges;
mod claude;
mod credentials;
mod document;
mod editors;
mod inspector;
mod legacy;
mod openai;
mod replay;
mod revisions;
mod terminals;
