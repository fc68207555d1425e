//! The settings of TLS.

use anyhow::Result;

use super::required_by;
use crate::cli::{ClientTlsArgs, IdentityArgs, ServerTlsArgs};
use crate::status::Failure;
use crate::transport::{Address, ClientTls, Identity, ServerTls, Tls, TrustIn};

/// TLS with the server at an address, if it is asked for.
pub(super) fn of_client(args: ClientTlsArgs, address: &Address) -> Result<Option<Tls>> {
    if !args.tls {
        nothing_but_tls(&args)?;
        return Ok(None);
    }
    let trust = match args.cacert {
        Some(path) => TrustIn::File(path),
        None if args.insecure => TrustIn::Anyone,
        None => TrustIn::System,
    };
    let identity = identity(args.identity)?;
    let tls = ClientTls::new(trust, identity.as_ref(), args.server_name.as_deref(), address)?;
    Ok(Some(Tls::Client(tls)))
}

/// TLS with the client that connects to an address, if it is asked for.
pub(super) fn of_listener(args: ClientTlsArgs, address: &Address) -> Result<Option<Tls>> {
    for (option, is_given) in [
        ("--insecure", args.insecure),
        ("--cacert", args.cacert.is_some()),
        ("--server-name", args.server_name.is_some()),
    ] {
        if is_given {
            return Err(Failure::usage(format_args!("{option} cannot be used with --listen")));
        }
    }
    if !args.tls {
        nothing_but_tls(&args)?;
        return Ok(None);
    }
    let identity = identity(args.identity)?;
    Ok(Some(Tls::Server(ServerTls::new(identity.as_ref(), names(address), None)?)))
}

/// TLS with the clients of a server at an address, if it is asked for.
pub(super) fn of_server(args: ServerTlsArgs, address: &Address) -> Result<Option<Tls>> {
    if !args.tls {
        required_by("--cert", args.identity.cert.is_some(), "--tls")?;
        required_by("--key", args.identity.key.is_some(), "--tls")?;
        required_by("--client-ca", args.client_ca.is_some(), "--tls")?;
        return Ok(None);
    }
    let identity = identity(args.identity)?;
    let tls = ServerTls::new(identity.as_ref(), names(address), args.client_ca.as_deref())?;
    Ok(Some(Tls::Server(tls)))
}

/// The names that a server at an address may be called by.
fn names(address: &Address) -> Vec<String> {
    let mut names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
    if let Address::Tcp { host, .. } = address
        && !names.contains(host)
    {
        names.push(host.clone());
    }
    names
}

fn identity(args: IdentityArgs) -> Result<Option<Identity>> {
    required_by("--key", args.key.is_some() && args.cert.is_none(), "--cert")?;
    Ok(args.cert.map(|certificate| {
        let key = args.key.unwrap_or_else(|| certificate.clone());
        Identity { certificate, key }
    }))
}

/// Fails if there is an option that means nothing without `--tls`.
fn nothing_but_tls(args: &ClientTlsArgs) -> Result<()> {
    required_by("--insecure", args.insecure, "--tls")?;
    required_by("--cacert", args.cacert.is_some(), "--tls")?;
    required_by("--cert", args.identity.cert.is_some(), "--tls")?;
    required_by("--key", args.identity.key.is_some(), "--tls")?;
    required_by("--server-name", args.server_name.is_some(), "--tls")
}
