//! Certificates made for a test, and clients that speak TLS with rustls.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair,
};
use rustls::client::WantsClientCert;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, ConfigBuilder, RootCertStore, StreamOwned};
use wshub::{Tls, TlsBuilder};

use super::{Client, dial, upgrade};

/// A certificate with its key, PEM.
pub struct Certified {
    pub certificate: String,
    pub key: String,
}

impl Certified {
    pub fn der(&self) -> Vec<u8> {
        CertificateDer::from_pem_slice(self.certificate.as_bytes())
            .unwrap()
            .to_vec()
    }

    fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap()
    }
}

/// A certificate authority of the test.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new() -> Authority {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        // No two have the same name.
        let name = format!("CA {:?}", key.public_key_raw());
        params.distinguished_name.push(DnType::CommonName, name);
        Authority(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    pub fn server(&self, name: &str) -> Certified {
        self.issue(name, ExtendedKeyUsagePurpose::ServerAuth)
    }

    pub fn client(&self, name: &str) -> Certified {
        self.issue(name, ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn issue(&self, name: &str, usage: ExtendedKeyUsagePurpose) -> Certified {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.extended_key_usages.push(usage);
        let key = KeyPair::generate().unwrap();
        Certified {
            certificate: params.signed_by(&key, &*self.0).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }

    /// For a server that is called localhost.
    pub fn tls(&self) -> Tls {
        self.builder().build().unwrap()
    }

    pub fn builder(&self) -> TlsBuilder {
        let own = self.server("localhost");
        Tls::builder().pem(own.certificate, own.key)
    }

    /// A client that trusts this authority, and shows `certificate` when it is asked for one.
    pub fn client_config(&self, certificate: Option<&Certified>) -> ClientConfig {
        self.client_config_of(rustls::ALL_VERSIONS, certificate)
    }

    pub fn client_config_of(
        &self,
        versions: &[&'static rustls::SupportedProtocolVersion],
        certificate: Option<&Certified>,
    ) -> ClientConfig {
        let builder = builder_trusting(self.0.der().clone(), versions);
        match certificate {
            None => builder.with_no_client_auth(),
            Some(one) => builder
                .with_client_auth_cert(vec![one.der().into()], one.private_key())
                .unwrap(),
        }
    }
}

fn builder_trusting(
    root: CertificateDer<'_>,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> ConfigBuilder<ClientConfig, WantsClientCert> {
    let mut roots = RootCertStore::empty();
    roots.add(root.into_owned()).unwrap();
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
}

/// A client that trusts this certificate.
pub fn trusting(root: CertificateDer<'_>) -> ClientConfig {
    builder_trusting(root, rustls::ALL_VERSIONS).with_no_client_auth()
}

pub type Stream<S = TcpStream> = StreamOwned<ClientConnection, S>;

pub fn session(config: ClientConfig, name: &str) -> ClientConnection {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    ClientConnection::new(Arc::new(config), name).unwrap()
}

/// A TLS stream whose handshake is done.
pub fn secure(addr: SocketAddr, config: ClientConfig, name: &str) -> io::Result<Stream> {
    secure_over(dial(addr), config, name)
}

pub fn secure_over<S: Read + Write>(
    stream: S,
    config: ClientConfig,
    name: &str,
) -> io::Result<Stream<S>> {
    let mut stream = StreamOwned::new(session(config, name), stream);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(stream)
}

/// An open WebSocket to `localhost`.
pub fn connect(addr: SocketAddr, authority: &Authority) -> Client<Stream> {
    let stream = secure(addr, authority.client_config(None), "localhost").unwrap();
    Client::open(stream, &upgrade("localhost", "/", ""))
}
