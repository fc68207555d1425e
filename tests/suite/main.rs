//! Tests from outside: at the binary, on real sockets and a real pseudo-terminal.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod chats;
mod check;
mod connect;
mod conversations;
mod deliveries;
mod interactive;
mod interop;
mod play;
mod readme;
mod record;
mod reports;
mod serve;
mod support;
mod terminal;
mod transcripts;
mod update;
