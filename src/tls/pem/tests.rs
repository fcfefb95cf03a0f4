//! What is wrong with certificates and keys, and how it is told.

use std::io;

use rcgen::{CertificateParams, KeyPair, date_time_ymd, generate_simple_self_signed};

use super::*;
use crate::tls::Tls;

fn provider() -> CryptoProvider {
    rustls::crypto::ring::default_provider()
}

fn own() -> (String, String) {
    let own = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    (own.cert.pem(), own.signing_key.serialize_pem())
}

fn error(certificate: &str, key: &str) -> String {
    Tls::from_pem(certificate, key).unwrap_err().to_string()
}

#[test]
fn an_error_names_its_source_and_the_remedy() {
    let ((certificate, key), (_, other_key)) = (own(), own());
    assert!(Tls::from_pem(certificate.as_str(), key.as_str()).is_ok());
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    for (certificate, key, said) in [
        (
            "",
            &key[..],
            "the certificate given as bytes: no certificate in it",
        ),
        (
            &key,
            &key,
            "the certificate given as bytes: no certificate in it",
        ),
        (
            &certificate,
            &certificate,
            "the key given as bytes: no private key in it",
        ),
        (
            &certificate,
            encrypted,
            "behind a passphrase; decrypt it: openssl pkey",
        ),
        (&certificate, &other_key, "is not that of the certificate"),
        (
            &certificate,
            &key[..60],
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
    let (certificate, key) = own();
    let builder = Tls::builder().pem(certificate, key);
    assert_eq!(
        format!("{builder:?}"),
        "TlsBuilder { certificates: 1, client_cas: 0, min_version: V1_2, .. }"
    );
    assert_eq!(format!("{:?}", builder.build().unwrap()), "Tls { .. }");
}

#[test]
fn a_certificate_outside_its_time_is_noticed() {
    let key = KeyPair::generate().unwrap();
    let said = |from, until| {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        let certificate = params.self_signed(&key).unwrap();
        problem_with_time(&[certificate.der().clone()], &provider())
    };
    assert_eq!(said(2001, 4001), None);
    assert!(said(2001, 2002).unwrap().contains("has expired"));
    assert!(said(4001, 4002).unwrap().contains("not valid yet"));
}
