//! What a connection runs over: TCP, or TLS over it.

use crate::args::Result;
use rustix::fd::{AsFd, BorrowedFd};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

pub enum Stream {
    Plain(TcpStream),
    Tls(TcpStream, Box<ClientConnection>),
}

/// Trusts the certificate in this file and no other.
pub fn trusting(file: &str) -> Result<Arc<ClientConfig>> {
    let describe = |e: &dyn std::fmt::Display| format!("--tls {file}: {e}");
    let certificate = CertificateDer::from_pem_file(file).map_err(|e| describe(&e))?;
    let mut roots = RootCertStore::empty();
    roots.add(certificate).map_err(|e| describe(&e))?;
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()
        .map_err(|e| describe(&e))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

impl Stream {
    /// Waits for the TLS handshake with a server that is called localhost.
    pub fn secure(mut socket: TcpStream, config: Arc<ClientConfig>) -> Result<Stream> {
        let name = ServerName::try_from("localhost").map_err(|e| e.to_string())?;
        let session = ClientConnection::new(config, name).map_err(|e| e.to_string())?;
        let mut session = Box::new(session);
        while session.is_handshaking() {
            let done = session.complete_io(&mut socket);
            done.map_err(|e| format!("the TLS handshake: {e}"))?;
        }
        Ok(Stream::Tls(socket, session))
    }

    pub fn socket(&self) -> &TcpStream {
        match self {
            Stream::Plain(socket) | Stream::Tls(socket, _) => socket,
        }
    }

    /// Whether bytes wait that the socket's readiness does not show, after a read.
    pub fn has_more(&mut self) -> bool {
        match self {
            Stream::Plain(_) => false,
            Stream::Tls(_, session) => session
                .process_new_packets()
                .is_ok_and(|state| state.plaintext_bytes_to_read() > 0),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let (socket, session) = match self {
            Stream::Plain(socket) => return socket.read(buf),
            Stream::Tls(socket, session) => (socket, session),
        };
        loop {
            match session.reader().read(buf) {
                Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                done => return done,
            }
            session.read_tls(socket)?;
            let processed = session.process_new_packets();
            processed.map_err(|e| io::Error::new(ErrorKind::InvalidData, e))?;
        }
    }
}

impl Write for Stream {
    /// Over TLS nothing new is taken while ciphertext waits for the socket.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (socket, session) = match self {
            Stream::Plain(socket) => return socket.write(bytes),
            Stream::Tls(socket, session) => (socket, session),
        };
        send_all(session, socket)?;
        let taken = session.writer().write(bytes)?;
        match send_all(session, socket) {
            Err(e) if e.kind() != ErrorKind::WouldBlock => Err(e),
            _ => Ok(taken),
        }
    }

    /// Until it succeeds, ciphertext of what was taken waits for the socket.
    fn flush(&mut self) -> io::Result<()> {
        match self {
            Stream::Plain(_) => Ok(()),
            Stream::Tls(socket, session) => send_all(session, socket),
        }
    }
}

fn send_all(session: &mut ClientConnection, socket: &mut TcpStream) -> io::Result<()> {
    while session.wants_write() {
        session.write_tls(socket)?;
    }
    Ok(())
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket().as_fd()
    }
}
