//! Which server, and what to send to it.

use crate::args::{Args, Result};
use crate::frame::{Frame, NUMBER, Payload};
use crate::stream::{self, Stream};
use rustls::ClientConfig;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

// The sample nonce of RFC 6455 section 1.3 and the answer to it: no SHA-1 needed.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

pub struct Target {
    pub address: SocketAddr,
    pub pid: Option<u32>,
    pub raw: bool,
    pub size: usize,
    pub payload: Payload,
    pub frame: Frame,
    pub request: String,
    tls: Option<Arc<ClientConfig>>,
}

impl Target {
    pub fn new(args: &Args, size: usize) -> Result<Target> {
        let port: u16 = args.optional("port")?.ok_or("--port is missing")?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let size = args.bytes("size", size)?;
        if size < NUMBER {
            return Err(format!(
                "--size of at least {NUMBER}: messages are numbered"
            ));
        }
        let (raw, payload) = (args.flag("raw"), Payload::new(size));
        Ok(Target {
            address,
            pid: args.optional("pid")?,
            raw,
            size,
            frame: Frame::message(&payload, args.flag("binary"), !raw),
            payload,
            request: format!(
                "GET / HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n"
            ),
            tls: None,
        })
    }

    /// Over TLS, where `--tls` names the server's certificate.
    pub fn over_tls(mut self, args: &Args) -> Result<Target> {
        let file: Option<String> = args.optional("tls")?;
        self.tls = file.as_deref().map(stream::trusting).transpose()?;
        Ok(self)
    }

    /// Connects and upgrades; waits for each. The stream comes back non-blocking.
    pub fn connect(&self) -> Result<Stream> {
        let socket = self.connect_only()?;
        socket
            .set_read_timeout(Some(Duration::from_secs(20)))
            .map_err(|e| e.to_string())?;
        let mut stream = match &self.tls {
            None => Stream::Plain(socket),
            Some(config) => Stream::secure(socket, config.clone())?,
        };
        stream
            .write_all(self.request.as_bytes())
            .map_err(|e| format!("the upgrade request: {e}"))?;
        match &mut stream {
            Stream::Plain(socket) => while !upgraded(socket)? {},
            stream => read_upgrade(stream)?,
        }
        let blocking = stream.socket().set_nonblocking(true);
        blocking.map_err(|e| e.to_string())?;
        Ok(stream)
    }

    pub fn connect_only(&self) -> Result<TcpStream> {
        let stream = TcpStream::connect(self.address).map_err(|e| format!("connect: {e}"))?;
        stream.set_nodelay(true).map_err(|e| e.to_string())?;
        Ok(stream)
    }
}

/// Takes the answer to the upgrade off the stream; false if it is not all there yet.
pub fn upgraded(mut stream: &TcpStream) -> Result<bool> {
    let mut buf = [0; 4096];
    let have = match stream.peek(&mut buf) {
        Ok(0) => return Err("the server closed the connection before its answer".into()),
        Ok(n) => &buf[..n],
        Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(false),
        Err(e) => return Err(format!("the upgrade: {e}")),
    };
    let Some(end) = have.windows(4).position(|w| w == b"\r\n\r\n") else {
        return match have.len() {
            4096 => Err("an answer to the upgrade of over 4 KiB".into()),
            _ => Ok(false),
        };
    };
    // What comes after it are frames, and stays in the socket.
    let head = &mut buf[..end + 4];
    stream.read_exact(head).map_err(|e| e.to_string())?;
    check_upgrade(head)?;
    Ok(true)
}

/// As [`upgraded`], from a stream that cannot be looked into: what comes after the answer stays in it.
fn read_upgrade(stream: &mut impl Read) -> Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        let read = stream.read_exact(&mut byte);
        read.map_err(|e| format!("the upgrade: {e}"))?;
        head.extend(byte);
    }
    check_upgrade(&head)
}

fn check_upgrade(head: &[u8]) -> Result<()> {
    let head = String::from_utf8_lossy(head);
    let mut lines = head.lines();
    let status = lines.next().unwrap_or_default();
    if !status.starts_with("HTTP/1.1 101") {
        return Err(format!("the upgrade was refused: {status}"));
    }
    let accept = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-accept"));
    match accept {
        Some((_, value)) if value.trim() == ACCEPT => Ok(()),
        _ => Err("a wrong Sec-WebSocket-Accept".into()),
    }
}
