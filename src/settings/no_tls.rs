//! What `tls.rs` has, in a program that is built without TLS.

#![expect(clippy::unnecessary_wraps, reason = "the others may fail")]

use anyhow::Result;

use crate::cli::{ClientTlsArgs, ServerTlsArgs};
use crate::transport::{Address, Tls};

pub(super) fn of_client(_args: ClientTlsArgs, _address: &Address) -> Result<Option<Tls>> {
    Ok(None)
}

pub(super) fn of_listener(_args: ClientTlsArgs, _address: &Address) -> Result<Option<Tls>> {
    Ok(None)
}

pub(super) fn of_server(_args: ServerTlsArgs, _address: &Address) -> Result<Option<Tls>> {
    Ok(None)
}
