//! A client's part of TLS: what it trusts, who it is, and the name it expects.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::pki_types::ServerName;

use super::files::{self, Identity};
use super::provider;
use super::verifier::{Trust, Verifier};
use crate::status::Failure;
use crate::transport::Address;

/// A client's part.
#[derive(Clone, Debug)]
pub(crate) struct ClientTls {
    pub(super) config: Arc<ClientConfig>,
    /// The name to verify, and to send unless it is an IP address.
    pub(super) name: ServerName<'static>,
}

/// Which servers a client trusts.
#[derive(Debug)]
pub(crate) enum TrustIn {
    /// Those whose certificate was issued by an authority that this system trusts.
    System,
    /// Those whose certificate is in this file, or was issued by an authority whose certificate is.
    File(PathBuf),
    Anyone,
}

impl ClientTls {
    /// A client of the server at `address`, whose host is the name to verify unless there is a `name`.
    ///
    /// Returns a usage failure if there is no valid name, or a file cannot be used.
    pub(crate) fn new(
        trust: TrustIn,
        identity: Option<&Identity>,
        name: Option<&str>,
        address: &Address,
    ) -> Result<Self> {
        let name = server_name(name, address)?;
        let trust = match trust {
            TrustIn::System => Trust::system(),
            TrustIn::File(path) => {
                let trust = Trust::only(files::certificates(&path)?, files::roots(&path)?);
                trust.map_err(|error| files::unusable(&path, &error))?
            }
            TrustIn::Anyone => Trust::Anyone,
        };
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .context("could not set up TLS")?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Verifier::new(trust)));
        let mut config = match identity {
            None => config.with_no_client_auth(),
            Some(identity) => {
                let (chain, key) = identity.load()?;
                config.with_client_auth_cert(chain, key).map_err(|error| identity.unusable(&error))?
            }
        };
        // Hardly any run connects twice to the same server.
        config.resumption = Resumption::disabled();
        Ok(Self { config: Arc::new(config), name })
    }
}

fn server_name(name: Option<&str>, address: &Address) -> Result<ServerName<'static>> {
    let name = match (name, address) {
        (Some(name), _) => name,
        (None, Address::Tcp { host, .. }) => host,
        (None, Address::Unix(_)) => {
            return Err(Failure::usage("TLS on a Unix socket requires --server-name"));
        }
    };
    ServerName::try_from(name.to_owned())
        .map_err(|_| Failure::usage(format_args!("'{name}' cannot be in a certificate; use --server-name")))
}
