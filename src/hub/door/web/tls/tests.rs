//! Certificates that no rule book allows, made with OpenSSL 3.0, and what their keys signed.

use rustls_pki_types::pem::PemObject;

use super::*;

/// RSA with 1 024 bits, signed with SHA-1.
const SMALL: &str = "-----BEGIN CERTIFICATE-----
MIICADCCAWmgAwIBAgIUJR1RkxjvSnNr+ocWHe7VXhfXHrswDQYJKoZIhvcNAQEF
BQAwEjEQMA4GA1UEAwwHTlBJMTAyNDAeFw0yNjExMjUxNjQyNTdaFw0zNjExMjIx
NjQyNTdaMBIxEDAOBgNVBAMMB05QSTEwMjQwgZ8wDQYJKoZIhvcNAQEBBQADgY0A
MIGJAoGBALJ3Iyf3BO4ZUC/lSq2hbkgURfm4jJ/Iv02cwgEYu5C5TkFD1K2qMp97
tNSeGbYodBDf0p5y9ptuiduebfu/tDt5tcTPEu+6EeT/sB2nlKJErBzhi+aq8ubl
5gw4UcalKkBXVTHiTLYEsz81Q5WecL5Lt2q3nDD36H3upuhILweFAgMBAAGjUzBR
MB0GA1UdDgQWBBRpLf74SBTQEq4MLnJBzxKDhvHZ6TAfBgNVHSMEGDAWgBRpLf74
SBTQEq4MLnJBzxKDhvHZ6TAPBgNVHRMBAf8EBTADAQH/MA0GCSqGSIb3DQEBBQUA
A4GBAGF4NaDR31xs1weWSQ+DWUJ+j3qKAsmilWthhZQyt3TidvjWvLF+cVwOJCoC
oow38pqTdsBAm9L51T44pOPWN7nlWfXgGA1RuwicG2s4hAjWc1jcHuSgtKOCBrtj
6H+xc7IG+UiWhFXd0SsIGhgU6d8D+OWtcUjifpVhJ89JJNlU
-----END CERTIFICATE-----";

/// RSA with 2 048 bits, X.509 version 1.
const VERSION_1: &str = "-----BEGIN CERTIFICATE-----
MIICoTCCAYkCFCVvmrCByJ4nch6Q6uma5jyJ2DysMA0GCSqGSIb3DQEBCwUAMA0x
CzAJBgNVBAMMAnYxMB4XDTI2MTEyNTE2NDI1N1oXDTM2MTEyMjE2NDI1N1owDTEL
MAkGA1UEAwwCdjEwggEiMA0GCSqGSIb3DQEBAQUAA4IBDwAwggEKAoIBAQCrp2cK
8PGzGUXzsd3U+qjcDtj+c7ed6O5ChLy0yT0oqY+oq8yzoKgUvKY+RJicazO6JsSQ
lRDzGKGoJn0iqYTpThhhr1L9EZsD+jGEy8Cw5QAWnx4NUAlr6g6vnJVxQxauAw+p
4CEzsmGc0RF6qXymhI2flL1Ayofzog3TeV3ONM8zEzy1Sn0fIV/0KGkW3MsjJgw+
nqLk3SBwjBEep+yYHC5KvvdL7hF55TIsv/DG5S9K5EytHEHXPVW7X46rVtUe6FJC
A8kAPpJWodlcxupSsMugA6g9fQCNmMYqI2VJRA+2xaadEL9gDkeSFh5VuXU+TnRK
qtDbX+gZ45PfxVUHAgMBAAEwDQYJKoZIhvcNAQELBQADggEBADyG/gOkqnK2CXNf
+IgCOwxC3Swtoc8Pt9OBuyWd2337QNTzn8GXiX1PkA7/cD71NVaG+xuvdUgDW7Yk
+xLbGEC6/O5EVntKzT+yrgS0gVhLgdSn1J/QEh3sIF00Vnzb19KEaxCQfln9YzwI
EOXNJkRn1D3d26pSO5GWIC3KZikGgwm5yQAKUj5I5yFhEKfnEqncbu6ZSGNvwWqu
tQ19d3IZBp9i5+wUcOnJjXaNrM6cwBeRcNZcPF5oUPG8/Y60wxzXf6pISEeHAmFh
+Gmz+fma3Vi0kY27SEitnKCW2Q5fe/diD2Xv0Mt2/z8/IxEO5vkT3ZvBrRi1gwDU
HJLVVgc=
-----END CERTIFICATE-----";

/// What was signed.
const MESSAGE: &[u8] = b"message";

/// By the key of [`SMALL`], PKCS #1 v1.5 with SHA-256.
const BY_SMALL: &str = "769b37ac0b9e43516fff627ca0c7a61b6437404152fe6ef6ef3a75acb886495f1e819bb13b984d43b651df9a\
    9cab362154eebfe3643da1b2a03645bfdca7ad666e31cb894387960ec270c3be42a2579a07a4e7cc918cc05b\
    79fad5fa1c7d15ed83beb9af8ebcfc2e4f89f5b115252225f41cdf1fcb2f0b581caf703c022e6113";

/// By the key of [`VERSION_1`], PSS with SHA-256, as TLS 1.3 has it.
const BY_VERSION_1: &str = "130e3b5cbe72f3419d4dd8663977bbc7225c24de9adf6e00eae188bc44e76c1e24a794105e906017010a5505\
    475b7e5ec3dadb388661b99e3bbd213d7b3ab40df8853d48779ae755ba7ddd848215b1bed4c7f57ecf1e7130\
    01bf81dd444621bef22aa4d7b0816d3da0244524eef62e54110b95c6338362903be3e86ae439a5a28dc19307\
    b68dc8b30d2e4bb661f50dfcd16cdb7908932be102660882f952df7a56f7a2d9fa653d351cf813cc83ec0086\
    086e1b624b867b50104e0faa1c78aa672b64c87b956c780230c13ee17a019f5b58111b9523eb4c25123587be\
    ac0d42ba1135a2b9ea941d124bf65d23aa287dcaabb5cc213d15e98a682a2bfbd4179cbc";

fn octets(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn is_proven(message: &[u8], pem: &str, scheme: SignatureScheme, signed: &[u8]) -> bool {
    let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    verify_odd(message, &certificate, (scheme, signed)).is_some()
}

#[test]
fn the_holder_of_an_odd_certificates_key_is_known_and_nobody_else() {
    let (pkcs1, pss) = (
        SignatureScheme::RSA_PKCS1_SHA256,
        SignatureScheme::RSA_PSS_SHA256,
    );
    let (small, version_1) = (octets(BY_SMALL), octets(BY_VERSION_1));
    assert!(is_proven(MESSAGE, SMALL, pkcs1, &small));
    assert!(is_proven(MESSAGE, VERSION_1, pss, &version_1));

    assert!(!is_proven(b"massage", SMALL, pkcs1, &small));
    assert!(!is_proven(b"massage", VERSION_1, pss, &version_1));
    assert!(!is_proven(MESSAGE, VERSION_1, pkcs1, &small));
    assert!(!is_proven(MESSAGE, SMALL, pss, &version_1));
    assert!(!is_proven(MESSAGE, VERSION_1, pkcs1, &version_1));
    assert!(!is_proven(MESSAGE, VERSION_1, pss, b""));
    let mut bent = version_1;
    bent[100] ^= 1;
    assert!(!is_proven(MESSAGE, VERSION_1, pss, &bent));
}

#[test]
fn webpki_does_not_read_a_certificate_of_version_1() {
    let certificate = CertificateDer::from_pem_slice(VERSION_1.as_bytes()).unwrap();
    // Why there is a second way at all.
    assert!(rustls::server::ParsedCertificate::try_from(&certificate).is_err());
}
