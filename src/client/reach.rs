//! The way to a server: name lookup, TCP or a Unix socket, a proxy, TLS, each with its deadline.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::error::{ClientError, ProxyError};
use super::exchange::Exchange;
use super::request::ClientRequest;
use crate::dial::deadline::DeadlineStream;
use crate::dial::{self, lookup};
use crate::handshake::{InvalidAnswer, Proxy};
use crate::tls::{self, ClientTls};
use crate::transport::{TcpTransport, Transport};

/// A stream to the server, encrypted if it is to be, and the address that it leads to.
pub(crate) fn reach(
    request: &ClientRequest,
) -> Result<(Box<dyn Transport>, Option<SocketAddr>), ClientError> {
    let tls = match request.is_secure() {
        true => Some(request.tls.as_ref().ok_or(ClientError::TlsFeature)?),
        false => None,
    };
    if let Some(socket) = &request.opening.url.unix {
        return Ok((unix(socket, request.connect_timeout)?, None));
    }
    let stream = stream(request)?;
    let peer_addr = stream.peer_addr();
    let transport = match tls {
        Some(tls) => secure(stream, tls, request)?,
        None => Box::new(stream),
    };
    Ok((transport, peer_addr))
}

/// A stream over the Unix socket of a `ws+unix` URL.
fn unix(socket: &str, time: Duration) -> Result<Box<dyn Transport>, ClientError> {
    dial::unix(socket.as_ref(), time).map_err(|error| ClientError::UnixSocket {
        socket: socket.to_owned(),
        error,
    })
}

/// The TLS handshake over a stream that leads to the server.
fn secure(
    stream: TcpTransport,
    tls: &ClientTls,
    request: &ClientRequest,
) -> Result<Box<dyn Transport>, ClientError> {
    let config = tls.config().map_err(ClientError::TlsSetup)?;
    let deadline = Instant::now() + request.tls_timeout;
    let host = request.opening.server_name();
    tls::connect(stream, config, host, deadline).map_err(ClientError::Tls)
}

/// A stream that leads to the server.
fn stream(request: &ClientRequest) -> Result<TcpTransport, ClientError> {
    let (host, port) = match &request.proxy {
        Some(proxy) => (proxy.host(), proxy.port()),
        None => (request.host(), request.port()),
    };
    let addresses = match request.address {
        Some(address) if request.proxy.is_none() => vec![address],
        _ => {
            let found = lookup::addresses(host, port, Instant::now() + request.lookup_timeout);
            found.map_err(|error| ClientError::Lookup {
                host: host.to_owned(),
                error,
            })?
        }
    };
    let deadline = Instant::now() + request.connect_timeout;
    let stream = dial::tcp(&addresses, deadline).map_err(ClientError::Connect)?;
    if let Some(proxy) = &request.proxy {
        tunnel(&stream, proxy, request, deadline)?;
    }
    Ok(stream)
}

/// Has the proxy at the other end of the stream lead it on to the server (RFC 9110 9.3.6).
fn tunnel(
    stream: &TcpTransport,
    proxy: &Proxy,
    request: &ClientRequest,
    deadline: Instant,
) -> Result<(), ProxyError> {
    let authority = match request.address {
        Some(address) => address.to_string(),
        None => request.opening.authority(),
    };
    let head = proxy.encode(&authority);
    let stream: &dyn Transport = stream;
    let mut until = DeadlineStream::until(stream, deadline);
    let mut exchange = Exchange::new(&mut until, request.limits.head(), deadline);
    let answer = exchange.ask(&head).map_err(|none| none.of_proxy())?;
    if !matches!(answer.status, 200..300) {
        return Err(ProxyError::Status {
            status: answer.status,
            body: exchange.body(&answer),
        });
    }
    match exchange.buffer.is_empty() {
        true => Ok(()),
        // The server speaks when it was asked, and it was not.
        false => Err(ProxyError::Answer(InvalidAnswer::Malformed(
            "bytes follow before anything was sent through the tunnel",
        ))),
    }
}
