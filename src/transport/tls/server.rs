//! A server's part of TLS: who it is, and which clients it wants.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::hash::{Hash, HashAlgorithm};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};

use super::files::{self, Identity};
use super::provider;

/// A server's part.
#[derive(Clone, Debug)]
pub(crate) struct ServerTls {
    pub(super) config: Arc<ServerConfig>,
    pub(super) fingerprint: Option<Arc<str>>,
}

impl ServerTls {
    /// A server with this identity; without one, it makes itself a certificate for `names`. If there is a file of
    /// certificate authorities, clients need a certificate that one of those issued.
    ///
    /// Returns a usage failure if a file cannot be used.
    pub(crate) fn new(
        identity: Option<&Identity>,
        names: Vec<String>,
        client_ca: Option<&Path>,
    ) -> Result<Self> {
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .context("could not set up TLS")?;
        let config = match client_ca {
            None => config.with_no_client_auth(),
            Some(path) => {
                let roots = files::roots(path)?;
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
                    .build()
                    .map_err(|error| files::unusable(path, &error))?;
                config.with_client_cert_verifier(verifier)
            }
        };
        let (mut config, fingerprint) = if let Some(identity) = identity {
            let (chain, key) = identity.load()?;
            (config.with_single_cert(chain, key).map_err(|error| identity.unusable(&error))?, None)
        } else {
            let made = rcgen::generate_simple_self_signed(names).context("could not make a certificate")?;
            let certificate = made.cert.der().clone();
            let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
            let fingerprint = fingerprint(&certificate).map(Into::into);
            (config.with_single_cert(vec![certificate], key)?, fingerprint)
        };
        // A client that leaves without having read the tickets would reset the connection.
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(Self { config: Arc::new(config), fingerprint })
    }
}

/// As openssl(1) prints it.
fn fingerprint(certificate: &CertificateDer<'_>) -> Option<String> {
    let is_sha256 = |hash: &&'static dyn Hash| hash.algorithm() == HashAlgorithm::SHA256;
    let suites = &provider().cipher_suites;
    let sha256 =
        suites.iter().filter_map(|suite| Some(suite.tls13()?.common.hash_provider)).find(is_sha256)?;
    let bytes: Vec<_> = sha256.hash(certificate).as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
    Some(bytes.join(":"))
}
