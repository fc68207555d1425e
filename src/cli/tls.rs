//! The options of TLS.

#[cfg(feature = "tls")]
use std::path::PathBuf;

use clap::Args;
#[cfg(feature = "tls")]
use clap::ValueHint;

#[cfg(feature = "tls")]
use super::TLS;

#[derive(Args, Debug)]
pub(crate) struct ClientTlsArgs {
    /// Use TLS from the start
    ///
    /// The server's certificate is verified, unless --insecure is given.
    #[cfg(feature = "tls")]
    #[arg(long, help_heading = TLS)]
    pub(crate) tls: bool,

    /// Accept any certificate
    #[cfg(feature = "tls")]
    #[arg(short = 'k', long, conflicts_with = "cacert", help_heading = TLS)]
    pub(crate) insecure: bool,

    /// Trust the certificates in FILE, not the system's
    ///
    /// The file, in PEM, contains certificates of authorities or of servers.
    #[cfg(feature = "tls")]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = TLS)]
    pub(crate) cacert: Option<PathBuf>,

    #[cfg(feature = "tls")]
    #[command(flatten)]
    pub(crate) identity: IdentityArgs,

    /// Name to verify [default: the host]
    ///
    /// It is also sent to the server (SNI), unless it is an IP address. Unix sockets have no other.
    #[cfg(feature = "tls")]
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Hostname, help_heading = TLS)]
    pub(crate) server_name: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct ServerTlsArgs {
    /// Use TLS from the start
    ///
    /// Without --cert, the server makes a certificate for itself, and logs its SHA-256 fingerprint.
    #[cfg(feature = "tls")]
    #[arg(long, help_heading = TLS)]
    pub(crate) tls: bool,

    #[cfg(feature = "tls")]
    #[command(flatten)]
    pub(crate) identity: IdentityArgs,

    /// Require client certificates issued by one in FILE
    #[cfg(feature = "tls")]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = TLS)]
    pub(crate) client_ca: Option<PathBuf>,
}

#[cfg(feature = "tls")]
#[derive(Args, Debug)]
pub(crate) struct IdentityArgs {
    /// Own certificate, followed by its chain (PEM)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = TLS)]
    pub(crate) cert: Option<PathBuf>,

    /// Private key of --cert [default: in the same file]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = TLS)]
    pub(crate) key: Option<PathBuf>,
}
