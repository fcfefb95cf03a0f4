//! The certificates of tests/certificates, and clients that speak TLS with rustls.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

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
    /// Of tests/certificates, by its path there without an ending.
    fn read(path: &str) -> Certified {
        Certified {
            certificate: file(&format!("{path}.pem")),
            key: file(&format!("{path}.key")),
        }
    }

    /// One for localhost that signed itself: `localhost`, `expired`, `early`, or `authority`, which may sign others.
    pub fn alone(name: &str) -> Certified {
        Certified::read(&format!("alone/{name}"))
    }

    pub fn der(&self) -> Vec<u8> {
        certificate_in(&self.certificate).to_vec()
    }

    fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap()
    }
}

fn file(name: &str) -> String {
    // A workspace below wshub's may compile this in.
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let mut paths = above.map(|folder| folder.join("tests/certificates").join(name));
    let path = paths.find(|path| path.exists());
    let path = path.unwrap_or_else(|| panic!("no certificate {name}"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A certificate authority: a folder of tests/certificates.
pub struct Authority(&'static str);

impl Authority {
    // Another workspace that compiles this in has it public.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Authority {
        Authority("authority")
    }

    /// Another, which signs clients.
    pub fn devices() -> Authority {
        Authority("devices")
    }

    /// One that nobody in a test trusts.
    pub fn others() -> Authority {
        Authority("others")
    }

    pub fn pem(&self) -> String {
        file(&format!("{}/ca.pem", self.0))
    }

    /// What it has signed, by the name of the file.
    pub fn issued(&self, name: &str) -> Certified {
        Certified::read(&format!("{}/{name}", self.0))
    }

    /// For a server that is called localhost.
    pub fn tls(&self) -> Tls {
        self.builder().build().unwrap()
    }

    pub fn builder(&self) -> TlsBuilder {
        let own = self.issued("localhost");
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
        let builder = builder_trusting(certificate_in(&self.pem()), versions);
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

fn certificate_in(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
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
        let moved = stream.conn.complete_io(&mut stream.sock)?;
        assert_ne!(moved, (0, 0), "the handshake stands still");
    }
    Ok(stream)
}

/// An open WebSocket to `localhost`.
pub fn connect(addr: SocketAddr, authority: &Authority) -> Client<Stream> {
    let stream = secure(addr, authority.client_config(None), "localhost").unwrap();
    Client::open(stream, &upgrade("localhost", "/", ""))
}
