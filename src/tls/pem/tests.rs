//! What is wrong with certificates and keys, and how it is told.

use std::io;

use super::*;
use crate::tls::Tls;

fn provider() -> CryptoProvider {
    rustls::crypto::ring::default_provider()
}

/// Of tests/certificates.
macro_rules! certificates {
    ($file:literal) => {
        include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/certificates/",
            $file
        ))
    };
}

const CERTIFICATE: &str = certificates!("alone/localhost.pem");
const KEY: &str = certificates!("alone/localhost.key");
const OTHER_KEY: &str = certificates!("others/localhost.key");

fn error(certificate: &str, key: &str) -> String {
    Tls::from_pem(certificate, key).unwrap_err().to_string()
}

#[test]
fn an_error_names_its_source_and_the_remedy() {
    assert!(Tls::from_pem(CERTIFICATE, KEY).is_ok());
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let traditional = "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n\
         -----END EC PRIVATE KEY-----\n";
    for (certificate, key, said) in [
        (
            "",
            KEY,
            "the certificate given as bytes: no certificate in it",
        ),
        (
            KEY,
            KEY,
            "the certificate given as bytes: no certificate in it",
        ),
        (
            CERTIFICATE,
            CERTIFICATE,
            "the key given as bytes: no private key in it",
        ),
        (
            CERTIFICATE,
            encrypted,
            "behind a passphrase; decrypt it: openssl pkey",
        ),
        (
            CERTIFICATE,
            traditional,
            "behind a passphrase; decrypt it: openssl pkey",
        ),
        (CERTIFICATE, OTHER_KEY, "is not that of the certificate"),
        (
            CERTIFICATE,
            &KEY[..60],
            "the key given as bytes: missing section end marker",
        ),
    ] {
        let error = error(certificate, key);
        assert!(error.contains(said), "{error:?} says {said:?}");
    }
    assert!(
        Tls::builder()
            .build()
            .unwrap_err()
            .to_string()
            .contains("pem_files")
    );
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let error = Tls::from_pem_files("/nonexistent/fullchain.pem", "key.pem").unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("/nonexistent/fullchain.pem: "),
        "{error}"
    );
    assert_eq!(io::Error::from(error).kind(), io::ErrorKind::NotFound);
}

#[test]
fn neither_tls_nor_its_builder_prints_keys() {
    let builder = Tls::builder().pem(CERTIFICATE, KEY);
    assert_eq!(
        format!("{builder:?}"),
        "TlsBuilder { certificates: 1, client_cas: 0, optional: false, min_version: V1_2, max_fragment_size: None, .. }"
    );
    assert_eq!(format!("{:?}", builder.build().unwrap()), "Tls { .. }");
}

#[test]
fn a_certificate_outside_its_time_is_noticed() {
    let said = |certificate: &str| {
        let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
        problem_with_time(&[certificate], &provider())
    };
    assert_eq!(said(CERTIFICATE), None);
    let expired = said(certificates!("alone/expired.pem"));
    assert!(expired.unwrap().contains("has expired"));
    let early = said(certificates!("alone/early.pem"));
    assert!(early.unwrap().contains("not valid yet"));
}
