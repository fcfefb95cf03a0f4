//! What the `accept` hook answers, and the 101 that opens a WebSocket (RFC 6455 4.2.2).

use core::any::Any;

use super::data::Data;
use super::negotiate::Upgrade;
use crate::http::refusal::excerpt;
use crate::http::response::{Headers, push_header, status_line};
use crate::http::token::is_token;
use crate::http::{InvalidHeader, Refusal, Request};

/// What the `accept` hook returns to open the WebSocket, with a subprotocol, headers and data of its own if it wants.
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
#[derive(Debug, Default)]
pub struct Accept {
    subprotocol: Option<String>,
    headers: Headers,
    data: Data,
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
        if !is_token(name.as_bytes()) {
            return Err(InvalidHeader::Subprotocol {
                name: excerpt(name.as_bytes()),
            });
        }
        self.subprotocol = Some(name.to_owned());
        Ok(self)
    }

    /// Adds a header to the 101, `Set-Cookie` for one. A header of the same name is replaced, except `Set-Cookie`.
    ///
    /// # Errors
    ///
    /// [`InvalidHeader`], as for [`Response::with_header`](crate::Response::with_header).
    pub fn with_header(mut self, name: &str, value: &str) -> Result<Self, InvalidHeader> {
        self.headers.set(name, value)?;
        Ok(self)
    }

    /// Keeps a value with the connection: who the client is, what it may do. The application reads it with
    /// [`Connection::data`](crate::Connection::data), and need not ask again. One value; another one replaces it, so
    /// what belongs together goes into one struct. Default: none.
    ///
    /// It lives as long as the connection's handles. It cannot be changed there but through what it holds, an
    /// `AtomicU64` or a `Mutex`. Its destructor runs on whichever thread lets the last handle go, so it must not wait.
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

    /// The subprotocol that was chosen, if one was.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// The extra headers, for [`switching_protocols`].
    pub(crate) fn headers(&self) -> &Headers {
        &self.headers
    }

    /// What the connection keeps.
    pub(crate) fn into_data(self) -> Data {
        self.data
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
