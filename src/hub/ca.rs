//! The hub's own certificate authority: it names the hub to agents, and agents to the hub.
//!
//! Made at the first start, kept in the state folder, known to nobody else: agents pin it by the
//! SHA-256 that travels in their code. Nothing here reads a name out of a signing request: only
//! its key, after its signature has proven that the sender holds the other half.

mod client;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, SerialNumber, date_time_ymd,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use crate::state::{self, StateError, create_whole, write_whole};
use crate::store::{hash_hex, hex};

/// How long the authority lasts. It is pinned at every site, so it outlives them.
const AUTHORITY_LIFE: Duration = days(30 * 365);

/// How long the hub's own certificate lasts, with the day before: a year, as Mozilla asks. It is made anew
/// at a start, unseen by agents.
const SERVER_LIFE: Duration = days(364);

/// The hub's certificate is made anew at a start when less than this is left.
const SERVER_RENEW_BEFORE: Duration = days(30);

/// How long an agent's certificate lasts: what was stolen is worth little for long. It is renewed at
/// half of it.
pub const AGENT_LIFE: Duration = days(1);

/// An agent's certificate is valid from this long before it was made: a broker that judges it too
/// may have a clock that is behind the hub's.
pub const AGENT_BACKDATE: Duration = Duration::from_secs(5 * 60);

/// How long after its end a certificate can still be renewed: the longest outage that a site comes
/// back from by itself, a year and a month.
pub const RENEWABLE_FOR: Duration = days(400);

/// The hub's own certificates are valid from this long ago: a site's clock may be slow.
const BACKDATE: Duration = days(1);

/// Longest signing request looked at, in bytes of PEM. A P-256 request has about 400.
const REQUEST_LEN_MAX: usize = 8 * 1024;

/// Key and certificate of the authority, PEM, readable by the hub alone.
const AUTHORITY_FILE: &str = "authority.pem";

/// Key and certificate of the hub itself, PEM, readable by the hub alone.
const SERVER_FILE: &str = "server.pem";

/// How a certificate begins in PEM (RFC 7468).
const PEM_BEGIN: &str = "-----BEGIN CERTIFICATE-----";

const fn days(days: u64) -> Duration {
    Duration::from_secs(days * 24 * 60 * 60)
}

/// Why the authority cannot work.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// The state folder cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// A file of the state folder is not what the hub wrote there.
    #[error("{0} holds no key and certificate of this hub; restore it from a backup")]
    Unreadable(PathBuf),
    /// A configured name can be in no certificate.
    #[error("uplink.names holds a name that no certificate can carry: {0}")]
    Name(rcgen::Error),
    /// A certificate could not be made.
    #[error("no certificate could be made: {0}")]
    Sign(#[from] rcgen::Error),
    /// The machine has no randomness to give.
    #[error("the machine gives no random numbers: {0}")]
    Random(getrandom::Error),
}

/// Why a signing request is refused.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// Longer than any honest one.
    #[error("the signing request is longer than {REQUEST_LEN_MAX} bytes")]
    TooLong,
    /// No PKCS #10, or its signature does not fit its key.
    #[error("the signing request is no PKCS #10 request signed by its own key")]
    Invalid,
    /// A kind of key the hub does not sign.
    #[error("the signing request has a key that is neither ECDSA (P-256, P-384) nor Ed25519")]
    Algorithm,
}

/// A signing request whose signature fits its key. All that is kept of it is the key.
#[derive(Debug)]
pub struct CheckedRequest(rcgen::PublicKey);

impl CheckedRequest {
    /// Checks a PKCS #10 request in PEM.
    ///
    /// # Errors
    /// [`RequestError`], for the sender to read.
    pub fn parse(pem: &str) -> Result<Self, RequestError> {
        if pem.len() > REQUEST_LEN_MAX {
            return Err(RequestError::TooLong);
        }
        let request =
            CertificateSigningRequestParams::from_pem(pem).map_err(|_| RequestError::Invalid)?;
        let accepted = [
            &PKCS_ECDSA_P256_SHA256,
            &PKCS_ECDSA_P384_SHA384,
            &PKCS_ED25519,
        ];
        let algorithm = rcgen::PublicKeyData::algorithm(&request.public_key);
        if !accepted.contains(&algorithm) {
            return Err(RequestError::Algorithm);
        }
        Ok(Self(request.public_key))
    }

    /// SHA-256 of the key (its SubjectPublicKeyInfo) in hex: what a person compares.
    #[must_use]
    pub fn key_hash(&self) -> String {
        hash_hex(&rcgen::PublicKeyData::subject_public_key_info(&self.0))
    }
}

/// A certificate for an agent, just signed.
#[derive(Debug, Clone)]
pub struct AgentCertificate {
    /// For the agent.
    pub pem: String,
    /// SHA-256 of the DER in hex: how the store knows it again.
    pub fingerprint: String,
    /// When it was made, to the second, as the certificate has it.
    pub issued: Timestamp,
    /// When it ends.
    pub until: Timestamp,
}

/// The authority: signs, and says who it is.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    certificate_pem: String,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority")
            .field("fingerprint", &self.fingerprint())
            .finish()
    }
}

/// The hub's own key and chain, for its TLS door.
#[derive(Debug)]
pub struct ServerIdentity {
    /// The certificate, then the authority's.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its key.
    pub key: PrivateKeyDer<'static>,
}

impl Authority {
    /// Loads the authority of a state folder, or makes it at the first start.
    ///
    /// # Errors
    /// [`CaError`] when the folder cannot be used or holds something else.
    pub fn open(state_dir: &Path, now: Timestamp) -> Result<Self, CaError> {
        let path = state_dir.join(AUTHORITY_FILE);
        if let Some(authority) = Self::load(&path)? {
            return Ok(authority);
        }
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = named(&format!("Platen hub {}", &hex(&random()?)[..8]));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        validity(&mut params, (now, BACKDATE), AUTHORITY_LIFE);
        params.serial_number = Some(serial()?);
        let certificate = params.self_signed(&key)?;
        create_whole(
            &path,
            format!("{}{}", key.serialize_pem(), certificate.pem()).as_bytes(),
        )?;
        // Another process may have been first: what lies there is the authority.
        Self::load(&path)?.ok_or(CaError::Unreadable(path))
    }

    /// The authority of a folder in which a hub has run before, or `None`.
    ///
    /// # Errors
    /// [`CaError`] when the folder cannot be read or holds something else.
    pub fn find(state_dir: &Path) -> Result<Option<Self>, CaError> {
        Self::load(&state_dir.join(AUTHORITY_FILE))
    }

    fn load(path: &Path) -> Result<Option<Self>, CaError> {
        let Some((key, certificate)) = read_pair(path)? else {
            return Ok(None);
        };
        let certificate_pem = certificate_text(path)?;
        let key = KeyPair::from_pkcs8_der_and_sign_algo(&key, &PKCS_ECDSA_P256_SHA256)
            .map_err(|_| CaError::Unreadable(path.to_owned()))?;
        let issuer = Issuer::from_ca_cert_der(&certificate, key)
            .map_err(|_| CaError::Unreadable(path.to_owned()))?;
        Ok(Some(Self {
            issuer,
            certificate,
            certificate_pem,
        }))
    }

    /// SHA-256 of the authority's certificate in hex: what agents pin.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        hash_hex(&self.certificate)
    }

    /// The authority's certificate.
    #[must_use]
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The authority's certificate in PEM, for an agent to keep.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The hub's own certificate for `names`, made anew when they changed or it ends soon.
    ///
    /// # Errors
    /// [`CaError`] when a name can be in no certificate, or the folder cannot be used.
    pub fn server_identity(
        &self,
        state_dir: &Path,
        names: &[String],
        now: Timestamp,
    ) -> Result<ServerIdentity, CaError> {
        let path = state_dir.join(SERVER_FILE);
        let kept = read_pair(&path)?.filter(|(_, certificate)| {
            is_ours(
                certificate,
                self.certificate(),
                names,
                now + SERVER_RENEW_BEFORE,
            )
        });
        let (key, certificate) = match kept {
            Some(kept) => kept,
            None => {
                let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
                let mut params = CertificateParams::new(names).map_err(CaError::Name)?;
                params.distinguished_name = named("Platen hub");
                params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
                params.use_authority_key_identifier_extension = true;
                validity(&mut params, (now, BACKDATE), SERVER_LIFE);
                params.serial_number = Some(serial()?);
                let certificate = params.signed_by(&key, &self.issuer)?;
                let both = format!("{}{}", key.serialize_pem(), certificate.pem());
                write_whole(&path, both.as_bytes())?;
                (
                    PrivatePkcs8KeyDer::from(key.serialize_der()),
                    certificate.der().clone(),
                )
            }
        };
        // The authority's certificate goes along: an agent that enrolls finds its pin in the chain.
        Ok(ServerIdentity {
            chain: vec![certificate, self.certificate.clone()],
            key: PrivateKeyDer::Pkcs8(key),
        })
    }

    /// Signs a certificate for the agent `id`: good for presenting itself to this hub, no more.
    ///
    /// # Errors
    /// [`CaError`] when the machine cannot sign.
    pub fn sign_agent(
        &self,
        request: &CheckedRequest,
        id: &str,
        now: Timestamp,
    ) -> Result<AgentCertificate, CaError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = named(id);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        validity(&mut params, (now, AGENT_BACKDATE), AGENT_LIFE);
        params.serial_number = Some(serial()?);
        let certificate = params.signed_by(&request.0, &self.issuer)?;
        // A certificate counts in seconds (RFC 5280, 4.1.2.5).
        let issued = Timestamp::from_second(now.as_second()).unwrap_or(now);
        Ok(AgentCertificate {
            pem: certificate.pem(),
            fingerprint: hash_hex(certificate.der()),
            issued,
            until: issued + AGENT_LIFE,
        })
    }
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

fn validity(
    params: &mut CertificateParams,
    (now, backdate): (Timestamp, Duration),
    life: Duration,
) {
    let now = date_time_ymd(1970, 1, 1) + Duration::from_secs(now.as_second().unsigned_abs());
    params.not_before = now - backdate;
    params.not_after = now + life;
}

fn random() -> Result<[u8; 16], CaError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(CaError::Random)?;
    Ok(bytes)
}

/// A random serial number: positive and never zero in DER (RFC 5280, 4.1.2.2).
fn serial() -> Result<SerialNumber, CaError> {
    let mut bytes = random()?;
    bytes[0] = (bytes[0] & 0x7f) | 0x40;
    Ok(SerialNumber::from_slice(&bytes))
}

/// Whether a kept server certificate still serves: ours, for exactly these names, and not ending.
fn is_ours(
    certificate: &CertificateDer<'_>,
    authority: &CertificateDer<'_>,
    names: &[String],
    until: Timestamp,
) -> bool {
    let Ok((_, leaf)) = X509Certificate::from_der(certificate) else {
        return false;
    };
    let Ok((_, authority)) = X509Certificate::from_der(authority) else {
        return false;
    };
    let Ok(Some(alternatives)) = leaf.subject_alternative_name() else {
        return false;
    };
    let mut kept: Vec<String> = alternatives
        .value
        .general_names
        .iter()
        .map(name_text)
        .collect();
    let mut wanted = names.to_vec();
    kept.sort();
    wanted.sort();
    kept == wanted
        && leaf.issuer() == authority.subject()
        && leaf.validity().not_after.timestamp() > until.as_second()
}

fn name_text(name: &GeneralName<'_>) -> String {
    match name {
        GeneralName::DNSName(name) => (*name).to_owned(),
        GeneralName::IPAddress(octets) => {
            let v4 = <[u8; 4]>::try_from(*octets).map(IpAddr::from);
            let v6 = <[u8; 16]>::try_from(*octets).map(IpAddr::from);
            v4.or(v6)
                .map_or_else(|_| String::new(), |address| address.to_string())
        }
        _ => String::new(),
    }
}

type Pair = (PrivatePkcs8KeyDer<'static>, CertificateDer<'static>);

fn read_pair(path: &Path) -> Result<Option<Pair>, CaError> {
    let Some(text) = state::read(path)? else {
        return Ok(None);
    };
    let key = PrivatePkcs8KeyDer::from_pem_slice(&text);
    let certificate = CertificateDer::from_pem_slice(&text);
    match (key, certificate) {
        (Ok(key), Ok(certificate)) => Ok(Some((key, certificate))),
        (Err(_), _) | (_, Err(_)) => Err(CaError::Unreadable(path.to_owned())),
    }
}

/// The certificate of such a file as it stands there.
fn certificate_text(path: &Path) -> Result<String, CaError> {
    let text = state::read(path)?.and_then(|text| String::from_utf8(text).ok());
    let certificate = text
        .as_deref()
        .and_then(|text| text.get(text.find(PEM_BEGIN)?..));
    certificate
        .map(ToOwned::to_owned)
        .ok_or_else(|| CaError::Unreadable(path.to_owned()))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair};
    use x509_parser::prelude::{FromDer, X509Certificate};

    use super::{AGENT_LIFE, Authority, CheckedRequest, RequestError, SERVER_LIFE};

    #[test]
    fn the_authority_is_made_once_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let first = Authority::open(folder.path(), now()).unwrap();
        let second = Authority::open(folder.path(), now()).unwrap();
        assert_eq!(first.fingerprint(), second.fingerprint());
        assert!(first.certificate_pem().starts_with(super::PEM_BEGIN));
    }

    #[test]
    fn a_server_certificate_is_made_anew_for_new_names_and_before_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::open(folder.path(), now()).unwrap();
        let leaf = |names: &[&str], at| {
            let names: Vec<String> = names.iter().map(ToString::to_string).collect();
            authority
                .server_identity(folder.path(), &names, at)
                .unwrap()
                .chain[0]
                .clone()
        };
        let first = leaf(&["hub.example.org", "10.0.0.1", "fd00::1"], now());
        assert_eq!(
            first,
            leaf(&["10.0.0.1", "hub.example.org", "fd00::1"], now())
        );
        let second = leaf(&["hub.example.org"], now());
        assert_ne!(first, second);
        assert_ne!(second, leaf(&["hub.example.org"], now() + SERVER_LIFE));
    }

    #[test]
    fn an_agents_name_and_use_are_the_hubs_choice() {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::open(folder.path(), now()).unwrap();
        let key = KeyPair::generate().unwrap();
        let mut wish = CertificateParams::new(vec!["hub.example.org".to_owned()]).unwrap();
        wish.distinguished_name
            .push(DnType::CommonName, "somebody else");
        wish.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let request = wish.serialize_request(&key).unwrap().pem().unwrap();

        let request = CheckedRequest::parse(&request).unwrap();
        let signed = authority.sign_agent(&request, "0123", now()).unwrap();

        let (_, pem) = x509_parser::pem::parse_x509_pem(signed.pem.as_bytes()).unwrap();
        let (_, certificate) = X509Certificate::from_der(&pem.contents).unwrap();
        assert_eq!(certificate.subject().to_string(), "CN=0123");
        let usage = certificate.extended_key_usage().unwrap().unwrap().value;
        assert!(usage.client_auth && !usage.server_auth && !usage.any);
        assert!(certificate.subject_alternative_name().unwrap().is_none());
        assert!(!certificate.is_ca());
        assert_eq!(signed.until, now() + AGENT_LIFE);
    }

    #[test]
    fn a_request_that_its_key_did_not_sign_is_refused() {
        let key = KeyPair::generate().unwrap();
        let request = CertificateParams::default()
            .serialize_request(&key)
            .unwrap();
        let mut der = request.der().to_vec();
        let last = der.len() - 1;
        der[last] ^= 1;
        let altered = rcgen::CertificateSigningRequestParams::from_der(&der.into());
        assert!(altered.is_err());
        assert!(matches!(
            CheckedRequest::parse("no request"),
            Err(RequestError::Invalid)
        ));
        let long = "x".repeat(super::REQUEST_LEN_MAX + 1);
        assert!(matches!(
            CheckedRequest::parse(&long),
            Err(RequestError::TooLong)
        ));
    }

    fn now() -> Timestamp {
        "2026-11-23T08:00:00Z".parse().unwrap()
    }
}
