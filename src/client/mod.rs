//! A client by its URL: name lookup, TCP, proxy, TLS and opening handshake, each with its deadline.

mod error;
mod exchange;
mod opening;
mod reach;
mod reconnect;
mod request;

use std::fmt;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::connection::{CloseEvent, MessageStream};
use crate::dial::deadline::DeadlineStream;
use crate::error::{CloseError, Error, SendError, SendErrorKind};
use crate::handshake::answer::AnswerHead;
use crate::http::Request;
use crate::message::Message;
use crate::protocol::close::CloseCode;
use crate::websocket::{WebSocket, WebSocketReader, WebSocketWriter, split};

pub use error::{ClientError, ProxyError};
use opening::OpenedClient;
use reach::reach;
pub use reconnect::{ClientEvent, DisconnectCause, Reconnecting, ReconnectingWriter};
pub use request::ClientRequest;

/// Opens a WebSocket as a client. `request` is a URL, or a [`ClientRequest`] with headers,
/// subprotocols, a [`Proxy`](crate::Proxy), deadlines and limits.
///
/// Blocks until the server has answered, each phase for as long as its own deadline allows:
///
/// | phase | deadline | default |
/// |---|---|---|
/// | name lookup | [`with_lookup_timeout`](ClientRequest::with_lookup_timeout) | 10 s |
/// | TCP, through all addresses of the name, and the proxy | [`with_connect_timeout`](ClientRequest::with_connect_timeout) | 10 s |
/// | TLS, for `wss://` | `with_tls_timeout` | 10 s |
/// | opening handshake | [`Limits::handshake_timeout`](crate::Limits::handshake_timeout) | 10 s |
///
/// The addresses of a name, at most 16, are tried in the system's order, each with an equal share of the time that is
/// left. The system cannot stop a lookup: one that is late goes on in a thread of its own, and its result is not used.
/// At most 8 lookups run in a process at once; further ones wait for their turn.
///
/// A `ws+unix` URL leads to a program of this machine by a Unix socket: `ws+unix:/run/hub.sock:/path`, as npm's ws
/// writes it; on Linux also by an abstract name, `ws+unix:@hub:/path`. Then the connect timeout applies to the socket,
/// and the server gets `Host: localhost`.
///
/// `wss://` needs the feature `tls`. The client trusts the system's certificate authorities, or those of a `ClientTls`.
///
/// A redirect is not followed, because credentials could end up elsewhere: it is an error that names the target.
/// Source: RFC 6455 4.1.
///
/// ```no_run
/// let mut client = wshub::connect("ws://127.0.0.1:9001/")?;
/// client.send("hello")?;
/// while let Some(message) = client.read()? {
///     println!("{message:?}");
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`ClientError`]: each variant says what to do about it.
pub fn connect<R>(request: R) -> Result<Client, ClientError>
where
    R: TryInto<ClientRequest, Error: Into<ClientError>>,
{
    Client::open(&request.try_into().map_err(Into::into)?)
}

/// A WebSocket that [`connect`] opened.
///
/// It keeps the deadlines of [`Limits`](crate::Limits): only [`read`](Client::read) may block for ever, on a server
/// that is silent and alive. The heartbeat ([`ping_interval`](crate::Limits::ping_interval),
/// [`pong_timeout`](crate::Limits::pong_timeout)) and the answers to the server's pings happen inside `read`. A server
/// that pings gives up a program that sends for long without reading: [`split`](Client::split) the client then, or call
/// [`read_timeout`](Client::read_timeout) now and then.
///
/// Dropping it drops the stream without a closing handshake: the server sees 1006. To close in order, call
/// [`close`](Client::close), then [`read`](Client::read) until `None`.
///
/// ```no_run
/// let mut client = wshub::connect("ws://127.0.0.1:9001/")?;
/// client.send("hello")?;
/// println!("{:?}", client.read()?);
/// client.close(1000, "done")?;
/// while client.read()?.is_some() {}
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The guide: [client](crate::guide::client).
pub struct Client {
    reader: WebSocketReader,
    writer: WebSocketWriter,
    answer: AnswerHead,
    peer_addr: Option<SocketAddr>,
}

impl Client {
    fn open(request: &ClientRequest) -> Result<Client, ClientError> {
        request.limits.check()?;
        let (transport, peer_addr) = reach(request)?;
        let deadline = Instant::now() + request.limits.handshake_timeout;
        let mut until = DeadlineStream::until(&*transport, deadline);
        let OpenedClient {
            answer,
            buffer,
            opening,
        } = opening::open(&mut until, request, deadline)?;
        let ws = WebSocket::as_client(transport, request.limits.clone(), buffer, opening);
        let (reader, writer) = split(ws, |transport| transport);
        Ok(Client {
            reader,
            writer,
            answer,
            peer_addr,
        })
    }

    /// Blocks until the next message has come. `None`: the connection has ended, with or without a Close frame
    /// ([`close_event`](Client::close_event) says how). While it waits it answers pings and the closing handshake,
    /// pings a silent server, and gives it up after [`pong_timeout`](crate::Limits::pong_timeout).
    ///
    /// # Errors
    /// [`Error`] when the connection had to be given up: the server broke the protocol or a limit, did not read, or
    /// vanished. It has been told so already, as far as that was possible.
    pub fn read(&mut self) -> Result<Option<Message>, Error> {
        self.reader.read()
    }

    /// As [`read`](Client::read), with a longest time; see [`WebSocketReader::read_timeout`].
    ///
    /// # Errors
    /// As [`WebSocketReader::read_timeout`].
    pub fn read_timeout(&mut self, timeout: Duration) -> Result<Option<Message>, Error> {
        self.reader.read_timeout(timeout)
    }

    /// Sends a message and waits until the system has taken it, at most
    /// [`write_timeout`](crate::Limits::write_timeout), and longer while the server reads faster than
    /// [`min_rate`](crate::Limits::min_rate).
    ///
    /// # Errors
    /// As [`WebSocketWriter::send`].
    pub fn send(&mut self, message: impl Into<Message>) -> Result<(), SendError> {
        self.writer.send(message)
    }

    /// As [`send`](Client::send), for a message that must not be compressed; see
    /// [`Connection::send_uncompressed`](crate::Connection::send_uncompressed).
    ///
    /// # Errors
    /// As [`send`](Client::send).
    pub fn send_uncompressed(&mut self, message: impl Into<Message>) -> Result<(), SendError> {
        self.writer.send_uncompressed(message)
    }

    /// Sends one binary message of any length, in fragments, while the source makes it. Its length need not be known;
    /// see [`WebSocketWriter::send_stream`]. Nothing is read during that: pings of the server wait for
    /// [`read`](Client::read). [`split`](Client::split) the client if a message takes longer than the server's pong
    /// timeout.
    ///
    /// ```no_run
    /// use std::fs::File;
    ///
    /// let mut client = wshub::connect("ws://127.0.0.1:9001/upload")?;
    /// let bytes = client.send_stream(File::open("backup.tar")?)?;
    /// println!("{bytes} bytes");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`WebSocketWriter::send_stream`].
    pub fn send_stream(&mut self, source: impl Read) -> io::Result<u64> {
        self.writer.send_stream(source)
    }

    /// The next message, of up to `max` bytes, to be read while it arrives; see [`WebSocketReader::read_stream`].
    ///
    /// ```no_run
    /// use std::fs::File;
    /// use std::io;
    ///
    /// let mut client = wshub::connect("ws://127.0.0.1:9001/download")?;
    /// if let Some(mut download) = client.read_stream(4 << 30)? {
    ///     io::copy(&mut download, &mut File::create("backup.tar")?)?;
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`WebSocketReader::read_stream`].
    pub fn read_stream(&mut self, max: u64) -> Result<Option<MessageStream<'_>>, Error> {
        self.reader.read_stream(max)
    }

    /// Sends a ping (RFC 6455 5.5.2). `read` sends one on its own after
    /// [`ping_interval`](crate::Limits::ping_interval) of silence.
    ///
    /// # Errors
    /// As [`WebSocketWriter::ping`].
    pub fn ping(&mut self) -> Result<(), SendErrorKind> {
        self.writer.ping()
    }

    /// Starts the closing handshake (RFC 6455 7.1.2). Then call [`read`](Client::read) until `None`: that takes
    /// at most [`close_timeout`](crate::Limits::close_timeout) if no messages come. Until the server has answered,
    /// `read` still gives its messages.
    ///
    /// # Errors
    /// As [`WebSocketWriter::close`].
    pub fn close(&mut self, code: impl Into<CloseCode>, reason: &str) -> Result<(), CloseError> {
        self.writer.close(code, reason)
    }

    /// Two halves for two threads: one reads, one sends, and neither waits for the other.
    ///
    /// ```no_run
    /// let (mut reader, mut writer) = wshub::connect("ws://127.0.0.1:9001/")?.split();
    /// let sending = std::thread::spawn(move || writer.send("hello"));
    /// println!("{:?}", reader.read()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn split(self) -> (WebSocketReader, WebSocketWriter) {
        (self.reader, self.writer)
    }

    /// How the connection ended, once [`read`](Client::read) has returned `None` or an error.
    pub fn close_event(&self) -> Option<&CloseEvent> {
        self.reader.close_event()
    }

    /// The request that was sent.
    pub fn request(&self) -> &Request {
        self.reader.request()
    }

    /// A header of the server's answer, such as `Set-Cookie`; the name in any case, the value without spaces around it.
    /// The first one if several are sent. `None` if there is none, or if it is not UTF-8.
    ///
    /// ```no_run
    /// let client = wshub::connect("ws://127.0.0.1:9001/")?;
    /// println!("{:?}", client.response_header("server"));
    /// # Ok::<(), wshub::ClientError>(())
    /// ```
    pub fn response_header(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.answer.header(name)?).ok()
    }

    /// Every header of the server's answer, in the order sent, with its name as sent and its value as bytes.
    pub fn response_headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.answer.headers()
    }

    /// The subprotocol that the server chose (RFC 6455 1.9), if any.
    pub fn protocol(&self) -> Option<&str> {
        self.reader.protocol()
    }

    /// The extensions in use (RFC 6455 9): the parameters of compression, or nothing.
    pub fn extensions(&self) -> &str {
        self.reader.extensions()
    }

    /// The address that the connection leads to: one of the host's, or of the proxy's. `None` over a Unix socket.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.peer_addr
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("reader", &self.reader)
            .field("writer", &self.writer)
            .field("peer_addr", &self.peer_addr)
            .finish_non_exhaustive()
    }
}
