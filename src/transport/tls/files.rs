//! Certificates and keys in files.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::{Error, Result};
use tokio_rustls::rustls;
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::messages::reason;
use crate::status::Failure;

/// The most that is read of a file: one that is larger has something else in it, or never ends.
const LARGEST: u64 = 16 * 1024 * 1024;

/// The files of a certificate chain and its private key, in PEM.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) certificate: PathBuf,
    /// May be the same file.
    pub(crate) key: PathBuf,
}

impl Identity {
    /// Returns a usage failure if a file cannot be used.
    pub(super) fn load(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
        let certificates = certificates(&self.certificate)?;
        let pem = read(&self.key)?;
        let key = PrivateKeyDer::from_pem_slice(&pem);
        // Its label or its first line says so (RFC 7468, section 11; RFC 1421, section 4.6.1.1).
        let is_encrypted = pem.windows(9).any(|word| word == b"ENCRYPTED");
        let key = key.map_err(|_| {
            let key = self.key.display();
            if is_encrypted {
                Failure::usage(format_args!(
                    "{key}: the private key is encrypted; decrypt it with 'openssl pkey'"
                ))
            } else {
                Failure::usage(format_args!("{key}: no private key in PEM format"))
            }
        })?;
        Ok((certificates, key))
    }

    /// A usage failure for a certificate and a key that cannot be used together.
    pub(super) fn unusable(&self, error: &rustls::Error) -> Error {
        let (certificate, key) = (self.certificate.display(), self.key.display());
        match error {
            rustls::Error::InconsistentKeys(_) => Failure::usage(format_args!(
                "the private key in {key} is not that of the certificate in {certificate}"
            )),
            rustls::Error::InvalidCertificate(_) => unusable(&self.certificate, error),
            error => unusable(&self.key, error),
        }
    }
}

/// The certificates in a file. Returns a usage failure if there are none.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let pem = read(path)?;
    match CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>() {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(Failure::usage(format_args!("{}: no certificate in PEM format", path.display()))),
    }
}

/// The certificate authorities in a file. Returns a usage failure if there are none.
pub(super) fn roots(path: &Path) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| unusable(path, &error))?;
    }
    Ok(roots)
}

/// A usage failure for a file that cannot be used.
pub(super) fn unusable(path: &Path, error: &impl Display) -> Error {
    Failure::usage(format_args!("{}: {error}", path.display()))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LARGEST).read_to_end(&mut bytes));
    read.map_err(|error: io::Error| {
        Failure::usage(format_args!("cannot read {}: {}", path.display(), reason(&error)))
    })?;
    Ok(bytes)
}
