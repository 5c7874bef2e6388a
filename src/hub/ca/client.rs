//! The hub's certificate where it is a client itself: at a broker that somebody else runs.

use jiff::Timestamp;
use rcgen::{
    CertificateParams, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
};

use super::{Authority, BACKDATE, CaError, SERVER_LIFE, named, serial, validity};

impl Authority {
    /// A key and a certificate for the hub as a client of a broker that believes this authority:
    /// certificate and key, PEM.
    ///
    /// # Errors
    /// [`CaError`] when the machine cannot sign.
    pub fn sign_hub(&self, name: &str, now: Timestamp) -> Result<(String, String), CaError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = named(name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        validity(&mut params, (now, BACKDATE), SERVER_LIFE);
        params.serial_number = Some(serial()?);
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok((certificate.pem(), key.serialize_pem()))
    }
}
