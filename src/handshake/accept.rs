//! What the `accept` hook answers, and the 101 that opens a WebSocket (RFC 6455 4.2.2).

use core::any::Any;

use super::data::Data;
use super::negotiate::Upgrade;
use crate::http::excerpt::excerpt;
use crate::http::headers::{Headers, check_subprotocol, push_header};
use crate::http::response::status_line;
use crate::http::{InvalidHeader, Refusal, Request};
use crate::overflow::Overflow;

/// What the `accept` hook returns to open the WebSocket, with an optional subprotocol, headers and data.
///
/// By default there are no extra headers and no data, and the subprotocol is the server's choice among its own list.
///
/// Source: RFC 6455 4.2.2.
///
/// ```
/// use wshub::{Accept, Reject, Request};
///
/// fn accept(request: &Request) -> Result<Accept, Reject> {
///     match request.cookie("session") {
///         Some(_) => Ok(Accept::new().with_header("X-Server", "north")?),
///         None => Err(Reject::unauthorized()),
///     }
/// }
///
/// let request = Request::parse(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")?;
/// assert_eq!(accept(&request).unwrap_err().status(), 401);
/// # Ok::<(), wshub::Refusal>(())
/// ```
///
/// The guide: [security](crate::guide::security).
#[derive(Debug, Default)]
pub struct Accept {
    subprotocol: Option<String>,
    pub(crate) headers: Headers,
    pub(crate) data: Data,
    pub(crate) bounds: OwnBounds,
}

/// What a connection has of its own, in place of what goes for its server.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OwnBounds {
    pub(crate) overflow: Option<Overflow>,
    pub(crate) max_message: Option<usize>,
}

impl Accept {
    /// Accepts, and leaves the rest to the server.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Chooses the subprotocol, in place of the server's choice. It must be one of
    /// [`Request::subprotocols`]: a client has to fail on another (RFC 6455 4.1), so the server answers 500 then.
    ///
    /// # Errors
    ///
    /// [`InvalidHeader::Subprotocol`] if the name is not a token.
    ///
    /// ```
    /// use wshub::Accept;
    ///
    /// assert!(Accept::new().with_subprotocol("chat.v2").is_ok());
    /// assert!(Accept::new().with_subprotocol("two words").is_err());
    /// ```
    pub fn with_subprotocol(mut self, name: &str) -> Result<Self, InvalidHeader> {
        check_subprotocol(name)?;
        self.subprotocol = Some(name.to_owned());
        Ok(self)
    }

    /// Adds a header to the 101, such as `Set-Cookie`. A header of the same name is replaced, except `Set-Cookie`.
    ///
    /// # Errors
    ///
    /// [`InvalidHeader`], as for [`Response::with_header`](crate::Response::with_header).
    pub fn with_header(mut self, name: &str, value: &str) -> Result<Self, InvalidHeader> {
        self.headers.set(name, value)?;
        Ok(self)
    }

    /// Keeps a value with the connection: who the client is, what it may do. The application reads it with
    /// [`Connection::data`](crate::Connection::data), and does not have to ask again. There is one value; another one
    /// replaces it, so put what belongs together into one struct. Default: none.
    ///
    /// It lives as long as the connection's handles. To change it, let it hold an `AtomicU64` or a `Mutex`. Its
    /// destructor runs on the thread that drops the last handle, so it must not wait.
    ///
    /// ```
    /// use wshub::testing::{self, Client};
    /// use wshub::{Accept, Event, Reject, Server};
    ///
    /// struct User {
    ///     name: String,
    /// }
    ///
    /// let server = Server::builder()
    ///     .accept(|request| match request.cookie("session") {
    ///         // Looked up once, here.
    ///         Some("s3cret") => Ok(Accept::new().with_data(User { name: "ann".to_owned() })),
    ///         _ => Err(Reject::unauthorized()),
    ///     })
    ///     .without_listener()?;
    /// let (ours, theirs) = testing::duplex();
    /// server.attach(ours);
    /// let _ann = Client::open_with(theirs, "/", &[("Cookie", "session=s3cret")])?;
    /// if let Ok(Event::Open(connection)) = server.events().recv() {
    ///     assert_eq!(connection.data::<User>().unwrap().name, "ann");
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn with_data<T: Any + Send + Sync>(mut self, data: T) -> Self {
        self.data = Data::new(data);
        self
    }

    /// The value of [`with_data`](Self::with_data), for a test of the hook; `None` if there is none, or one of another
    /// type.
    #[must_use]
    pub fn data<T: Any>(&self) -> Option<&T> {
        self.data.get()
    }

    /// Gives this connection its own policy for a peer that reads too slowly, in place of
    /// [`ServerBuilder::overflow`](crate::ServerBuilder::overflow): a live feed that may leave something out, and a
    /// download that must not, on one server. It has no effect over a stream of your own
    /// ([`ServerBuilder::websocket`](crate::ServerBuilder::websocket)).
    ///
    /// ```
    /// use wshub::{Accept, Event, Overflow, Server, testing};
    ///
    /// let server = Server::builder()
    ///     .accept(|request| {
    ///         Ok(match request.path() {
    ///             "/download" => Accept::new().with_overflow(Overflow::Refuse),
    ///             _ => Accept::new().with_overflow(Overflow::DropOldest),
    ///         })
    ///     })
    ///     .without_listener()?;
    /// let (ours, theirs) = testing::duplex();
    /// server.attach(ours);
    /// let _reads_nothing = testing::Client::open(theirs, "/download")?;
    /// if let Ok(Event::Open(connection)) = server.events().recv() {
    ///     let refused = (0..100).find_map(|_| connection.send(vec![7; 64 << 10]).err());
    ///     assert_eq!(refused.unwrap().kind(), wshub::SendErrorKind::Full); // and nothing is dropped
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn with_overflow(mut self, overflow: Overflow) -> Self {
        self.bounds.overflow = Some(overflow);
        self
    }

    /// The longest message of this connection in bytes, in place of
    /// [`Limits::max_message`](crate::Limits::max_message): more for a client that uploads, less for one that only says
    /// a few words. A longer one ends the connection with 1009. Where
    /// [`outbound_per_connection`](crate::Limits::outbound_per_connection) is not set, it follows.
    ///
    /// The memory that the log tells at the start goes by the limit of the server. A larger limit here comes on top: up
    /// to three times its bytes for each such connection.
    ///
    /// ```
    /// use wshub::{Accept, Server};
    ///
    /// let server = Server::builder()
    ///     .accept(|request| {
    ///         Ok(match request.path() {
    ///             "/upload" => Accept::new().with_max_message(64 << 20),
    ///             _ => Accept::new().with_max_message(4 << 10),
    ///         })
    ///     })
    ///     .bind("127.0.0.1:0")?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn with_max_message(mut self, bytes: usize) -> Self {
        self.bounds.max_message = Some(bytes);
        self
    }

    /// The subprotocol that was chosen, if one was.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// Puts the hook's choice of a subprotocol, if it made one, in the place of the server's.
    ///
    /// RFC 6455 4.2.2: only what the client offered may be chosen; else the hook has a bug, for the log and a 500.
    pub(crate) fn settle(&self, request: &Request, upgrade: &mut Upgrade) -> Result<(), Refusal> {
        let Some(chosen) = &self.subprotocol else {
            return Ok(());
        };
        if !request.subprotocols().any(|offered| offered == chosen) {
            return Err(Refusal::SubprotocolNotOffered {
                chosen: excerpt(chosen.as_bytes()),
            });
        }
        upgrade.subprotocol = Some(chosen.clone());
        Ok(())
    }
}

/// The 101 that opens the WebSocket (RFC 6455 4.2.2).
pub(crate) fn switching_protocols(
    accept_key: &[u8; 28],
    subprotocol: Option<&str>,
    extension: Option<&str>,
    extra: &Headers,
) -> Vec<u8> {
    let mut bytes = status_line(101);
    push_header(&mut bytes, "Upgrade", "websocket");
    push_header(&mut bytes, "Connection", "Upgrade");
    bytes.extend_from_slice(b"Sec-WebSocket-Accept: ");
    bytes.extend_from_slice(accept_key);
    bytes.extend_from_slice(b"\r\n");
    if let Some(subprotocol) = subprotocol {
        push_header(&mut bytes, "Sec-WebSocket-Protocol", subprotocol);
    }
    if let Some(extension) = extension {
        push_header(&mut bytes, "Sec-WebSocket-Extensions", extension);
    }
    extra.encode(&mut bytes);
    bytes.extend_from_slice(b"\r\n");
    bytes
}
