//! The browser's way: a handler, or listeners, that the server calls for each event.

use std::fmt;

use crate::connection::{CloseEvent, Connection};
use crate::error::Error;
use crate::event::{Event, Step, Tick};
use crate::message::Message;

/// Methods that [`Server::run`](crate::Server::run) calls for each event.
///
/// They run on the thread that calls `run`: the type needs no `Send`, `Sync` or `'static`, and may borrow the server.
///
/// ```
/// use wshub::{Connection, Handler, Message, Server};
///
/// struct Chat<'a> {
///     server: &'a Server,
/// }
///
/// impl Handler for Chat<'_> {
///     fn on_message(&mut self, _: &Connection, message: Message) {
///         self.server.broadcast(message);
///     }
/// }
///
/// let server = Server::bind("127.0.0.1:0")?;
/// # server.handle().shutdown();
/// server.run(&mut Chat { server: &server })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The guide: [forms](crate::guide::forms).
#[allow(unused_variables)]
pub trait Handler {
    /// The opening handshake succeeded.
    fn on_open(&mut self, connection: &Connection) {}

    /// A whole message arrived.
    fn on_message(&mut self, connection: &Connection, message: Message) {}

    /// wshub gave the connection up; [`on_close`](Handler::on_close) follows.
    fn on_error(&mut self, connection: &Connection, error: &Error) {}

    /// The connection ended, cleanly or not.
    fn on_close(&mut self, connection: &Connection, close: &CloseEvent) {}

    /// There is room again for what was refused; see [`Event::Drained`].
    fn on_drained(&mut self, connection: &Connection) {}

    /// Another thread called [`ServerHandle::wake`](crate::ServerHandle::wake).
    fn on_wake(&mut self) {}

    /// The next tick of [`Server::run_with_tick`](crate::Server::run_with_tick) is due.
    fn on_tick(&mut self, tick: Tick) {}
}

impl Event {
    /// Calls the handler's method for this event, for a program that has a loop of its own.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wshub::{Connection, Handler, Message, RecvError, Server};
    ///
    /// struct Echo;
    /// impl Handler for Echo {
    ///     fn on_message(&mut self, connection: &Connection, message: Message) {
    ///         let _ = connection.send(message);
    ///     }
    /// }
    ///
    /// let server = Server::bind("127.0.0.1:0")?;
    /// # server.handle().shutdown();
    /// let (mut events, mut echo) = (server.events(), Echo);
    /// loop {
    ///     match events.recv_timeout(Duration::from_millis(100)) {
    ///         Ok(event) => event.dispatch(&mut echo),
    ///         Err(RecvError::Ended) => break,
    ///         Err(_) => {} // whatever else the loop has to do
    ///     }
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn dispatch<H: Handler + ?Sized>(self, handler: &mut H) {
        match self {
            Event::Open(connection) => handler.on_open(&connection),
            Event::Message(connection, message) => handler.on_message(&connection, message),
            Event::Error(connection, error) => handler.on_error(&connection, &error),
            Event::Close(connection, close) => handler.on_close(&connection, &close),
            Event::Drained(connection) => handler.on_drained(&connection),
        }
    }
}

impl Step {
    /// Calls the handler's method for this step; see [`Event::dispatch`].
    pub fn dispatch<H: Handler + ?Sized>(self, handler: &mut H) {
        match self {
            Step::Event(event) => event.dispatch(handler),
            Step::Tick(tick) => handler.on_tick(tick),
            Step::Woken => handler.on_wake(),
        }
    }
}

/// Why [`Server::run`](crate::Server::run) ended without a shutdown.
///
/// ```no_run
/// use wshub::{Listeners, RunError, Server};
///
/// let server = Server::bind("127.0.0.1:9001")?;
/// match server.run(&mut Listeners::new(())) {
///     Ok(()) => println!("shut down"),
///     Err(RunError::Panicked(message)) => eprintln!("a listener panicked: {message}"),
///     Err(error) => eprintln!("{error}"),
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// The guide: [forms](crate::guide::forms).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RunError {
    /// The handler panicked, with this message. The server was shut down: 1001 to all. Remedy: mend the handler. (A
    /// program that aborts on panic never gets this error.)
    Panicked(String),
    /// Another [`Events`](crate::Events) of the server is alive. Remedy: drop it first.
    InUse,
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RunError::Panicked(message) => write!(f, "the handler panicked: {message}"),
            RunError::InUse => {
                f.write_str("another Events of this server is alive: drop it before run")
            }
        }
    }
}

impl std::error::Error for RunError {}

type OnConnection<'a, S> = Box<dyn FnMut(&mut S, &Connection) + 'a>;
type OnMessage<'a, S> = Box<dyn FnMut(&mut S, &Connection, &Message) + 'a>;
type OnError<'a, S> = Box<dyn FnMut(&mut S, &Connection, &Error) + 'a>;
type OnWake<'a, S> = Box<dyn FnMut(&mut S) + 'a>;
type OnTick<'a, S> = Box<dyn FnMut(&mut S, Tick) + 'a>;
type OnClose<'a, S> = Box<dyn FnMut(&mut S, &Connection, &CloseEvent) + 'a>;

/// Closures for events, as a browser's `addEventListener` has them: several per event, called in the
/// order they were added, sharing one state.
///
/// ```
/// use wshub::{Listeners, Server};
///
/// let server = Server::bind("127.0.0.1:0")?;
/// # server.handle().shutdown();
/// let mut listeners = Listeners::new(0)
///     .on_open(|count, connection| {
///         *count += 1;
///         let _ = connection.send(format!("you are number {count}"));
///     })
///     .on_message(|_, connection, message| println!("{}: {message:?}", connection.id()))
///     .on_message(|_, _, message| drop(server.broadcast(message.clone())));
/// server.run(&mut listeners)?;
/// println!("{} came", listeners.into_state());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The guide: [forms](crate::guide::forms).
pub struct Listeners<'a, S> {
    state: S,
    open: Vec<OnConnection<'a, S>>,
    message: Vec<OnMessage<'a, S>>,
    error: Vec<OnError<'a, S>>,
    close: Vec<OnClose<'a, S>>,
    drained: Vec<OnConnection<'a, S>>,
    wake: Vec<OnWake<'a, S>>,
    tick: Vec<OnTick<'a, S>>,
}

impl<'a, S> Listeners<'a, S> {
    /// No listeners yet, and the state that they will share; `()` for none.
    pub fn new(state: S) -> Self {
        Listeners {
            state,
            open: Vec::new(),
            message: Vec::new(),
            error: Vec::new(),
            close: Vec::new(),
            drained: Vec::new(),
            wake: Vec::new(),
            tick: Vec::new(),
        }
    }

    /// Adds a listener for connections that open.
    #[must_use]
    pub fn on_open(mut self, listener: impl FnMut(&mut S, &Connection) + 'a) -> Self {
        self.open.push(Box::new(listener));
        self
    }

    /// Adds a listener for messages.
    #[must_use]
    pub fn on_message(mut self, listener: impl FnMut(&mut S, &Connection, &Message) + 'a) -> Self {
        self.message.push(Box::new(listener));
        self
    }

    /// Adds a listener for connections that had to be given up.
    #[must_use]
    pub fn on_error(mut self, listener: impl FnMut(&mut S, &Connection, &Error) + 'a) -> Self {
        self.error.push(Box::new(listener));
        self
    }

    /// Adds a listener for connections that end.
    #[must_use]
    pub fn on_close(mut self, listener: impl FnMut(&mut S, &Connection, &CloseEvent) + 'a) -> Self {
        self.close.push(Box::new(listener));
        self
    }

    /// Adds a listener for connections that have room again for what was refused; see [`Event::Drained`].
    #[must_use]
    pub fn on_drained(mut self, listener: impl FnMut(&mut S, &Connection) + 'a) -> Self {
        self.drained.push(Box::new(listener));
        self
    }

    /// Adds a listener for [`ServerHandle::wake`](crate::ServerHandle::wake).
    #[must_use]
    pub fn on_wake(mut self, listener: impl FnMut(&mut S) + 'a) -> Self {
        self.wake.push(Box::new(listener));
        self
    }

    /// Adds a listener for ticks of [`Server::run_with_tick`](crate::Server::run_with_tick).
    #[must_use]
    pub fn on_tick(mut self, listener: impl FnMut(&mut S, Tick) + 'a) -> Self {
        self.tick.push(Box::new(listener));
        self
    }

    /// The state.
    pub fn state(&self) -> &S {
        &self.state
    }

    /// The state, after the listeners are done.
    pub fn into_state(self) -> S {
        self.state
    }
}

impl<S> Handler for Listeners<'_, S> {
    fn on_open(&mut self, connection: &Connection) {
        for listener in &mut self.open {
            listener(&mut self.state, connection);
        }
    }

    fn on_message(&mut self, connection: &Connection, message: Message) {
        for listener in &mut self.message {
            listener(&mut self.state, connection, &message);
        }
    }

    fn on_error(&mut self, connection: &Connection, error: &Error) {
        for listener in &mut self.error {
            listener(&mut self.state, connection, error);
        }
    }

    fn on_close(&mut self, connection: &Connection, close: &CloseEvent) {
        for listener in &mut self.close {
            listener(&mut self.state, connection, close);
        }
    }

    fn on_drained(&mut self, connection: &Connection) {
        for listener in &mut self.drained {
            listener(&mut self.state, connection);
        }
    }

    fn on_wake(&mut self) {
        for listener in &mut self.wake {
            listener(&mut self.state);
        }
    }

    fn on_tick(&mut self, tick: Tick) {
        for listener in &mut self.tick {
            listener(&mut self.state, tick);
        }
    }
}

impl<S: fmt::Debug> fmt::Debug for Listeners<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listeners")
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}
