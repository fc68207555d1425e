//! Whether a server's certificate is trusted.

use std::error::Error as StdError;
use std::fmt;
use std::sync::{Arc, OnceLock};

use rustls_platform_verifier::Verifier as SystemVerifier;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::client::{VerifierBuilderError, WebPkiServerVerifier};
use tokio_rustls::rustls::crypto::{
    WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};
use webpki::EndEntityCert;

use super::provider;

/// Which certificates are trusted.
#[derive(Debug)]
pub(super) enum Trust {
    /// Those that an authority of the system issued. Its certificates are loaded when they are needed: they are many.
    System(OnceLock<Result<SystemVerifier, Error>>),
    Only {
        issued: Arc<WebPkiServerVerifier>,
        certificates: Vec<CertificateDer<'static>>,
    },
    Anyone,
}

/// A certificate that nobody vouches for but itself.
#[derive(Debug)]
pub(super) struct SelfSigned;

impl fmt::Display for SelfSigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("self-signed certificate")
    }
}

impl StdError for SelfSigned {}

impl Trust {
    pub(super) fn system() -> Self {
        Self::System(OnceLock::new())
    }

    /// Trusts `roots`, and what they issued.
    pub(super) fn only(
        certificates: Vec<CertificateDer<'static>>,
        roots: RootCertStore,
    ) -> Result<Self, VerifierBuilderError> {
        let issued = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build()?;
        Ok(Self::Only { issued, certificates })
    }
}

/// Verifies what a server presents.
#[derive(Debug)]
pub(super) struct Verifier {
    trust: Trust,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    pub(super) fn new(trust: Trust) -> Self {
        Self { trust, algorithms: provider().signature_verification_algorithms }
    }

    fn verify(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match &self.trust {
            Trust::Anyone => Ok(ServerCertVerified::assertion()),
            Trust::System(loaded) => {
                let verifier = loaded.get_or_init(|| SystemVerifier::new(provider()));
                let verifier = verifier.as_ref().map_err(Clone::clone)?;
                verifier.verify_server_cert(certificate, intermediates, name, ocsp_response, now)
            }
            Trust::Only { issued, certificates } => {
                let verified =
                    issued.verify_server_cert(certificate, intermediates, name, ocsp_response, now);
                match verified {
                    // Its dates were verified before its issuer. openssl(1) makes certificates of authorities for servers.
                    Err(error) if is_not_issued(&error) && certificates.contains(certificate) => {
                        let certificate = EndEntityCert::try_from(certificate);
                        let certificate = certificate.map_err(|_| CertificateError::BadEncoding)?;
                        match certificate.verify_is_valid_for_subject_name(name) {
                            Ok(()) => Ok(ServerCertVerified::assertion()),
                            Err(webpki::Error::CertNotValidForName(names)) => {
                                let (expected, presented) = (names.expected, names.presented);
                                Err(CertificateError::NotValidForNameContext { expected, presented }.into())
                            }
                            Err(_) => Err(CertificateError::NotValidForName.into()),
                        }
                    }
                    verified => verified,
                }
            }
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verify(certificate, intermediates, name, ocsp_response, now).map_err(|error| {
            if is_not_issued(&error) && is_self_signed(certificate) {
                CertificateError::Other(OtherError(Arc::new(SelfSigned))).into()
            } else {
                error
            }
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Whether no trusted authority issued a certificate, or it is the authority's own.
fn is_not_issued(error: &Error) -> bool {
    match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => true,
        Error::InvalidCertificate(CertificateError::Other(other)) => {
            other.0.downcast_ref() == Some(&webpki::Error::CaUsedAsEndEntity)
        }
        _ => false,
    }
}

fn is_self_signed(certificate: &CertificateDer<'_>) -> bool {
    EndEntityCert::try_from(certificate)
        .is_ok_and(|certificate| certificate.issuer() == certificate.subject())
}
