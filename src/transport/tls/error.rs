//! Why TLS failed, in words.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};

use tokio_rustls::rustls::{self, AlertDescription, CertificateError};

use super::verifier::SelfSigned;
use crate::messages::reason;

/// Why a handshake failed, or a session after it.
#[derive(Debug)]
pub(crate) struct TlsError {
    reason: String,
    /// Whether it was the connection that failed, and not TLS: another attempt may succeed.
    is_transient: bool,
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TLS failed: {}", self.reason)
    }
}

impl Error for TlsError {}

impl TlsError {
    pub(super) fn of_handshake(error: &io::Error) -> Self {
        match tls(error) {
            // An echo, for example, sends the ClientHello back.
            Some(
                rustls::Error::InvalidMessage(_)
                | rustls::Error::InappropriateMessage { .. }
                | rustls::Error::InappropriateHandshakeMessage { .. },
            ) => Self { reason: "the peer does not speak TLS".to_owned(), is_transient: false },
            Some(error) => Self { reason: words(error), is_transient: false },
            None if error.kind() == ErrorKind::UnexpectedEof => {
                Self { reason: "connection closed during the handshake".to_owned(), is_transient: true }
            }
            None => Self { reason: reason(error), is_transient: true },
        }
    }

    pub(crate) fn is_transient(&self) -> bool {
        self.is_transient
    }
}

/// An error of a session, with a reason in words if it is one of TLS.
pub(super) fn explained(error: io::Error) -> io::Error {
    match tls(&error) {
        Some(cause) => io::Error::new(error.kind(), TlsError { reason: words(cause), is_transient: false }),
        None => error,
    }
}

fn tls(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

fn words(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(error) => certificate(error),
        rustls::Error::AlertReceived(AlertDescription::HandshakeFailure) => {
            "the peer found no common parameters".to_owned()
        }
        rustls::Error::AlertReceived(alert) => format!("the peer says '{}'", spaced(&format!("{alert:?}"))),
        rustls::Error::NoCertificatesPresented => "the peer sent no certificate".to_owned(),
        rustls::Error::DecryptError => "a record could not be decrypted".to_owned(),
        rustls::Error::PeerIncompatible(why) => format!("incompatible peer: {}", spaced(&format!("{why:?}"))),
        rustls::Error::General(reason) => reason.clone(),
        other => other.to_string(),
    }
}

fn certificate(error: &CertificateError) -> String {
    let fault = match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "not valid yet",
        CertificateError::UnknownIssuer => "from an unknown issuer",
        CertificateError::Revoked => "revoked",
        CertificateError::NotValidForNameContext { expected, presented } => {
            let names = if presented.is_empty() { "no name".to_owned() } else { names(presented) };
            return format!("certificate is for {names}, not for {}", expected.to_str());
        }
        CertificateError::NotValidForName => "for another name",
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "not for this purpose"
        }
        CertificateError::Other(other) if other.0.is::<SelfSigned>() => "self-signed",
        CertificateError::BadEncoding => "malformed",
        other => return format!("invalid certificate: {other}"),
    };
    format!("certificate is {fault}")
}

/// The names in a certificate, of which webpki shows the kind too: `DnsName("localhost")`.
fn names(presented: &[String]) -> String {
    let name = |text: &String| {
        let inner = text.split_once('(').map_or(text.as_str(), |(_, inner)| inner);
        inner.trim_end_matches(')').trim_matches('"').to_owned()
    };
    presented.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// Words from a name in camel case: `UnknownCa` is `unknown ca`.
fn spaced(name: &str) -> String {
    let mut words = String::new();
    let mut was_lower = false;
    for character in name.chars() {
        if character.is_uppercase() && was_lower {
            words.push(' ');
        }
        was_lower = character.is_lowercase();
        words.extend(character.to_lowercase());
    }
    words
}
