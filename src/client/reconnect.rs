//! A client that connects again: an iterator over what happens, connection after connection.

mod writer;

use std::iter::FusedIterator;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Client, ClientError, ClientRequest};
use crate::connection::CloseEvent;
use crate::error::Error;
use crate::limits::YEAR;
use crate::message::Message;
use crate::websocket::WebSocketReader;
use writer::WriterSlot;

pub use writer::ReconnectingWriter;

/// So that a mistake of the server's does not silence a client for good.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// The shortest first pause: without any, a server that closes at once would be asked without end.
const SHORTEST: Duration = Duration::from_millis(10);

/// Makes the request of each try, from how many have failed.
type RequestMaker =
    Box<dyn FnMut(u32) -> Result<ClientRequest, Box<dyn std::error::Error + Send + Sync>> + Send>;

/// A client that connects again whenever its connection ends: an iterator over what happens.
///
/// It connects, waits and reads on the thread that iterates, and has no thread of its own (except for name lookups, see
/// [`connect`](crate::connect)). To send, from any thread: [`writer`](Reconnecting::writer).
///
/// Between two tries it pauses: about a second at first, then twice as long each time, up to half a minute. The second
/// half of each pause is random, so that the clients of a restarted server do not all come at once. After a connection
/// that lasted longer than the longest pause, the pauses start over. A server that refuses may say for how long
/// (`Retry-After`, with whatever status): that time is added, up to an hour.
///
/// **Nothing is kept to be sent later**, because only the application knows what is still worth sending. A message that
/// cannot be sent is given back by [`send`](ReconnectingWriter::send). What was sent is counted:
/// [`ClientEvent::Disconnected`] says how many messages the system has taken over the connection that ended. WebSocket
/// does not tell whether the last of them arrived; where that matters, let the server answer.
///
/// It goes on until [`close`](ReconnectingWriter::close) is called or the loop is left. For some causes waiting does
/// not help, such as a 401: look at the cause, and leave the loop.
///
/// ```no_run
/// use wshub::{ClientEvent, DisconnectCause, Reconnecting};
///
/// let prices = Reconnecting::new("ws://127.0.0.1:9001/prices")?;
/// let writer = prices.writer(); // for this thread and others
/// for event in prices {
///     match event {
///         // The server knows nothing of the connection before: subscribe again.
///         ClientEvent::Connected { .. } => drop(writer.send("subscribe")),
///         ClientEvent::Message(message) => println!("{message:?}"),
///         ClientEvent::Disconnected { cause, retry_in: Some(pause), .. } => eprintln!("{cause}; next try in {pause:?}"),
///         // There is no next try: none could connect.
///         ClientEvent::Disconnected { cause: DisconnectCause::Connect(error), .. } => return Err(error),
///         _ => {}
///     }
/// }
/// # Ok::<(), wshub::ClientError>(())
/// ```
///
/// The guide: [client](crate::guide::client).
pub struct Reconnecting {
    request: RequestMaker,
    first: Duration,
    longest: Duration,
    /// Tries in a row that brought no connection that lasted.
    failures: u32,
    slot: Arc<WriterSlot>,
    phase: ReconnectPhase,
}

#[derive(Debug)]
enum ReconnectPhase {
    Waiting {
        until: Instant,
    },
    Open {
        reader: Box<WebSocketReader>,
        since: Instant,
    },
    Ended,
}

/// What happens to a [`Reconnecting`] client.
///
/// ```no_run
/// use wshub::{ClientEvent, Reconnecting};
///
/// for event in Reconnecting::new("ws://127.0.0.1:9001/")? {
///     match event {
///         ClientEvent::Connected { .. } => println!("connected"),
///         ClientEvent::Message(message) => println!("{message:?}"),
///         ClientEvent::Disconnected { cause, retry_in: Some(pause), .. } => println!("{cause}; again in {pause:?}"),
///         ClientEvent::Disconnected { cause, .. } => println!("{cause}; that is the end"),
///         _ => {}
///     }
/// }
/// # Ok::<(), wshub::ClientError>(())
/// ```
///
/// The guide: [client](crate::guide::client).
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientEvent {
    /// A connection is open; messages can be sent.
    #[non_exhaustive]
    Connected {
        /// The subprotocol that the server chose, if any.
        protocol: Option<String>,
    },
    /// A message came.
    Message(Message),
    /// The connection ended, or could not be opened.
    #[non_exhaustive]
    Disconnected {
        /// How.
        cause: DisconnectCause,
        /// How many messages were sent over the connection that ended: those for which
        /// [`send`](ReconnectingWriter::send) said `Ok`. All others were given back.
        sent: u64,
        /// How long until the next try. `None`: there will be none, because of [`close`](ReconnectingWriter::close) or
        /// because the request itself is at fault.
        retry_in: Option<Duration>,
    },
}

impl ClientEvent {
    /// A connection that has opened, for a test of what takes the events.
    pub fn connected(protocol: Option<&str>) -> Self {
        ClientEvent::Connected {
            protocol: protocol.map(str::to_owned),
        }
    }

    /// The end of a connection, or a try that failed, for a test of what takes the events.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wshub::{ClientError, ClientEvent, DisconnectCause};
    ///
    /// /// False where another try would end as this one did.
    /// fn goes_on(event: &ClientEvent) -> bool {
    ///     use DisconnectCause::Connect;
    ///     let ClientEvent::Disconnected { cause: Connect(error), .. } = event else { return true };
    ///     !matches!(error, ClientError::Status { status: 401, .. })
    /// }
    ///
    /// let refused = |status| DisconnectCause::Connect(ClientError::answered(status));
    /// let pause = Some(Duration::from_secs(1));
    /// assert!(goes_on(&ClientEvent::connected(None)));
    /// assert!(goes_on(&ClientEvent::disconnected(refused(503), 0, pause)));
    /// assert!(!goes_on(&ClientEvent::disconnected(refused(401), 0, pause)));
    /// ```
    pub fn disconnected(cause: DisconnectCause, sent: u64, retry_in: Option<Duration>) -> Self {
        ClientEvent::Disconnected {
            cause,
            sent,
            retry_in,
        }
    }
}

/// How a connection of a [`Reconnecting`] client ended.
///
/// ```
/// use wshub::{ClientError, DisconnectCause};
///
/// /// A token that is refused is refused the next time, too.
/// fn is_hopeless(cause: &DisconnectCause) -> bool {
///     match cause {
///         DisconnectCause::Connect(ClientError::Status { status, .. }) => *status == 401,
///         DisconnectCause::Closed(close) => close.code == 4001,
///         _ => false,
///     }
/// }
/// ```
///
/// The guide: [client](crate::guide::client).
#[derive(Debug)]
#[non_exhaustive]
pub enum DisconnectCause {
    /// No connection was opened.
    Connect(ClientError),
    /// The server closed it, or the closing handshake that began here is complete. 1006: the server vanished.
    Closed(CloseEvent),
    /// The connection had to be given up.
    Failed(Error),
}

impl std::fmt::Display for DisconnectCause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            DisconnectCause::Connect(error) => error.fmt(f),
            DisconnectCause::Closed(close) => {
                write!(f, "the connection was closed: {}", close.code)?;
                match close.reason.as_str() {
                    "" => Ok(()),
                    reason => write!(f, " {}", reason.escape_debug()),
                }
            }
            DisconnectCause::Failed(error) => error.fmt(f),
        }
    }
}

impl Reconnecting {
    /// A client that opens each connection with `request`, a URL or a [`ClientRequest`]. The first connection is opened
    /// when the iteration begins.
    ///
    /// # Errors
    /// [`ClientError::Url`], which says how to write it.
    pub fn new<R>(request: R) -> Result<Reconnecting, ClientError>
    where
        R: TryInto<ClientRequest, Error: Into<ClientError>>,
    {
        let request: ClientRequest = request.try_into().map_err(Into::into)?;
        Ok(Reconnecting::with(move |_| Ok(request.clone())))
    }

    /// A client that calls `request` for the request of each try: for a token that expires, or to try one server after
    /// the other. The closure gets how many tries in a row have failed. It runs on the thread that iterates, after the
    /// pause; if it waits for something, that needs a deadline of its own. An error counts as a failed try
    /// ([`ClientError::NoRequest`]), and the next one follows.
    ///
    /// ```no_run
    /// use wshub::{ClientRequest, Reconnecting};
    ///
    /// # fn fresh_token() -> Result<String, std::io::Error> { Ok(String::new()) }
    /// let servers = ["wss://a.example.com/feed", "wss://b.example.com/feed"];
    /// let feed = Reconnecting::with(move |failures| {
    ///     let server = servers[failures as usize % servers.len()];
    ///     let token = format!("Bearer {}", fresh_token()?);
    ///     Ok(ClientRequest::new(server)?.with_header("Authorization", &token)?)
    /// });
    /// for event in feed {
    ///     println!("{event:?}");
    /// }
    /// ```
    pub fn with<F>(request: F) -> Reconnecting
    where
        F: FnMut(u32) -> Result<ClientRequest, Box<dyn std::error::Error + Send + Sync>>
            + Send
            + 'static,
    {
        Reconnecting {
            request: Box::new(request),
            first: Duration::from_secs(1),
            longest: Duration::from_secs(30),
            failures: 0,
            slot: Arc::default(),
            phase: ReconnectPhase::Waiting {
                until: Instant::now(),
            },
        }
    }

    /// The first and the longest pause before a try. Default 1 s, about the time of a restart, and 30 s: a thousand
    /// clients then ask a server that is down about 40 times a second. At least 10 ms.
    #[must_use]
    pub fn with_backoff(mut self, first: Duration, longest: Duration) -> Self {
        self.first = first.clamp(SHORTEST, YEAR);
        self.longest = longest.clamp(self.first, YEAR);
        self
    }

    /// A handle that sends over the connection that is open at the time.
    #[must_use]
    pub fn writer(&self) -> ReconnectingWriter {
        ReconnectingWriter::new(self.slot.clone())
    }

    fn connect(&mut self) -> ClientEvent {
        let request = (self.request)(self.failures).map_err(ClientError::NoRequest);
        match request.and_then(|request| Client::open(&request)) {
            Ok(client) => {
                let (reader, writer) = client.split();
                let protocol = reader.protocol().map(str::to_owned);
                self.slot.open(writer);
                self.phase = ReconnectPhase::Open {
                    reader: Box::new(reader),
                    since: Instant::now(),
                };
                ClientEvent::Connected { protocol }
            }
            Err(error) => {
                let may_pass = error.may_pass();
                self.lost(DisconnectCause::Connect(error), may_pass)
            }
        }
    }

    fn lost(&mut self, cause: DisconnectCause, may_pass: bool) -> ClientEvent {
        let (sent, closed) = self.slot.lost();
        let asked = match &cause {
            DisconnectCause::Connect(error) => error.retry_after().unwrap_or_default(),
            _ => Duration::ZERO,
        };
        let retry_in = match may_pass && !closed {
            true => Some(self.next_pause() + asked.min(LONGEST_RETRY_AFTER)),
            false => None,
        };
        self.phase = match retry_in {
            Some(pause) => ReconnectPhase::Waiting {
                until: Instant::now() + pause,
            },
            None => ReconnectPhase::Ended,
        };
        ClientEvent::Disconnected {
            cause,
            sent,
            retry_in,
        }
    }

    fn next_pause(&mut self) -> Duration {
        // Without random bytes it is the longest of this step.
        let chance = getrandom::u32().unwrap_or(u32::MAX);
        let pause = pause(self.first, self.longest, self.failures, chance);
        self.failures = self.failures.saturating_add(1);
        pause
    }
}

/// The pause after so many failures before: between half and all of a step that doubles.
fn pause(first: Duration, longest: Duration, failures: u32, chance: u32) -> Duration {
    let step = first.saturating_mul(1 << failures.min(30)).min(longest);
    step / 2 + (step / 2).mul_f64(f64::from(chance) / f64::from(u32::MAX))
}

/// Blocks until something happens: the next message, the end of the connection, or a connection, for
/// which the pause is waited first. `None` after a close.
impl Iterator for Reconnecting {
    type Item = ClientEvent;

    fn next(&mut self) -> Option<ClientEvent> {
        match &mut self.phase {
            ReconnectPhase::Ended => None,
            ReconnectPhase::Waiting { until } => {
                if self.slot.wait_for_close(*until) {
                    self.phase = ReconnectPhase::Ended;
                    return None;
                }
                Some(self.connect())
            }
            ReconnectPhase::Open { reader, since } => {
                let cause = match reader.read() {
                    Ok(Some(message)) => return Some(ClientEvent::Message(message)),
                    Ok(None) => DisconnectCause::Closed(
                        reader
                            .close_event()
                            .cloned()
                            .unwrap_or(CloseEvent::abnormal()),
                    ),
                    Err(error) => DisconnectCause::Failed(error),
                };
                if since.elapsed() > self.longest {
                    self.failures = 0;
                }
                Some(self.lost(cause, true))
            }
        }
    }
}

impl FusedIterator for Reconnecting {}

impl std::fmt::Debug for Reconnecting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reconnecting")
            .field("first", &self.first)
            .field("longest", &self.longest)
            .field("failures", &self.failures)
            .field("phase", &self.phase)
            .finish_non_exhaustive()
    }
}

impl Drop for Reconnecting {
    fn drop(&mut self) {
        self.slot.end();
    }
}

#[cfg(test)]
mod tests;
