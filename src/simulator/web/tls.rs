//! TLS as printers have it, with certificates that they signed themselves.
//!
//! Key and certificate come from the device's own seed, signed without chance (RFC 6979), so that a
//! device shows the same certificate after every start; another `tls_generation` is another one.

use std::sync::Arc;

use p256::SecretKey;
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{DerSignature, SigningKey};
use p256::pkcs8::EncodePrivateKey;
use rcgen::{CertificateParams, DistinguishedName, DnType, PublicKeyData, SerialNumber};
use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::TcpStream;
use tokio_rustls::{LazyConfigAcceptor, TlsAcceptor};

use crate::dice::{self, Dice};
use crate::web::{End, Page, Visit, http};

/// What a certificate of old printers is valid for, in years: they leave the works with it.
const YEARS: (i32, i32) = (2015, 2035);
/// The same for one that is over.
const YEARS_EXPIRED: (i32, i32) = (2010, 2020);
/// The TLS ends of a device: the usual one, and the one whose certificate is over.
pub(crate) struct Ends {
    usual: Arc<ServerConfig>,
    expired: Arc<ServerConfig>,
}

/// Why a device has no TLS end.
#[derive(Debug, thiserror::Error)]
enum EndError {
    #[error("no certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    #[error("no key: {0}")]
    Key(#[from] p256::pkcs8::Error),
    #[error("no TLS: {0}")]
    Tls(#[from] rustls::Error),
}

/// Serves a page over TLS.
pub(crate) async fn serve(stream: TcpStream, end: End, page: Page, visit: Visit) {
    let ends = match ends(&visit) {
        Ok(ends) => ends,
        Err(error) => {
            tracing::error!(%error, "a printer has no TLS");
            return;
        }
    };
    let config = match end {
        End::Expired => Arc::clone(&ends.expired),
        End::Usual | End::Nameless => Arc::clone(&ends.usual),
    };
    let stream = if end == End::Nameless {
        let accepting = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), stream);
        let Ok(start) = accepting.await else { return };
        // Such firmware ends with the first extension that it does not know.
        if start.client_hello().server_name().is_some() {
            return;
        }
        start.into_stream(config).await
    } else {
        TlsAcceptor::from(config).accept(stream).await
    };
    match stream {
        Ok(stream) => http::serve(stream, page, visit).await,
        Err(error) => tracing::debug!(%error, "no TLS with this peer"),
    }
}

fn ends(visit: &Visit) -> Result<&Ends, EndError> {
    let station = visit.station();
    if let Some(ends) = station.ends.get() {
        return Ok(ends);
    }
    let seed =
        dice::mix(station.seed ^ (u64::from(visit.tenant.tls_generation) << 16) ^ 0x0054_4c53);
    let made = Ends {
        usual: end(seed, YEARS)?,
        expired: end(dice::mix(seed), YEARS_EXPIRED)?,
    };
    Ok(station.ends.get_or_init(|| made))
}

fn end(seed: u64, years: (i32, i32)) -> Result<Arc<ServerConfig>, EndError> {
    let (key, certificate) = certificate(seed, years)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?;
    Ok(Arc::new(config))
}

/// The key and the certificate of a seed.
fn certificate(
    seed: u64,
    (from, to): (i32, i32),
) -> Result<(PrivateKeyDer<'static>, CertificateDer<'static>), EndError> {
    let mut dice = Dice::new(seed);
    let secret = loop {
        let scalar: Vec<u8> = (0..4).flat_map(|_| dice.roll().to_be_bytes()).collect();
        // One number in 2³² is none of the curve.
        if let Ok(secret) = SecretKey::from_slice(&scalar) {
            break secret;
        }
    };
    let key = secret.to_pkcs8_der()?.as_bytes().to_vec();
    let mut params = CertificateParams::default();
    let mut name = DistinguishedName::new();
    // As old printers do: a name that is no host's, and no alternative names.
    name.push(
        DnType::CommonName,
        format!("Printer {:08X}", dice.roll() >> 32),
    );
    name.push(DnType::OrganizationName, "Self-signed by the device");
    params.distinguished_name = name;
    params.serial_number = Some(SerialNumber::from(dice.roll() >> 1));
    params.not_before = rcgen::date_time_ymd(from, 1, 1);
    params.not_after = rcgen::date_time_ymd(to, 1, 1);
    let certificate = params.self_signed(&Own::of(&secret))?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key));
    Ok((key, certificate.der().clone()))
}

/// A device's own key, which signs without chance.
struct Own {
    key: SigningKey,
    public: Vec<u8>,
}

impl Own {
    fn of(secret: &SecretKey) -> Self {
        let key = SigningKey::from(secret);
        let public = key.verifying_key().to_sec1_point(false).as_bytes().to_vec();
        Self { key, public }
    }
}

impl PublicKeyData for Own {
    fn der_bytes(&self) -> &[u8] {
        &self.public
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

impl rcgen::SigningKey for Own {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let signature: DerSignature = self.key.sign(message);
        Ok(signature.as_bytes().to_vec())
    }
}
