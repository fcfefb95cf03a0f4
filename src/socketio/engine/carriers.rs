//! The WebSockets of a server: those that carry sessions, or want to, and plain ones beside them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::link::SessionLink;
use super::mount::Mounted;
use super::protocol::handshake::{Carrier, SessionRequest, check};
use super::sessions::{Sessions, Task};
use crate::{CloseCode, CloseEvent, Connection, Error, Handler, Message, Tick};

/// The methods of a `Handler` whose `carriers` hear of each call first, and whose `see_to_all` sees then to what that
/// brought sessions.
macro_rules! hand_to_carriers {
    () => {
        fn on_open(&mut self, connection: &crate::Connection) {
            self.carriers.on_open(connection);
            self.see_to_all();
        }

        fn on_message(&mut self, connection: &crate::Connection, message: crate::Message) {
            self.carriers.on_message(connection, message);
            self.see_to_all();
        }

        fn on_error(&mut self, connection: &crate::Connection, error: &crate::Error) {
            self.carriers.on_error(connection, error);
        }

        fn on_close(&mut self, connection: &crate::Connection, close: &crate::CloseEvent) {
            self.carriers.on_close(connection, close);
            self.see_to_all();
        }

        fn on_drained(&mut self, connection: &crate::Connection) {
            self.carriers.on_drained(connection);
        }

        fn on_wake(&mut self) {
            self.carriers.on_wake();
            self.see_to_all();
        }

        fn on_tick(&mut self, tick: crate::Tick) {
            self.carriers.on_tick(tick);
        }
    };
}

pub(crate) use hand_to_carriers;

/// What the application thread has of the sessions.
pub(crate) struct Carriers {
    pub sessions: Arc<Sessions>,
    /// Takes the events of plain WebSockets.
    plain: Option<Box<dyn Handler + Send>>,
    /// The sessions of the WebSockets that are open, by the number of the connection.
    links: HashMap<u64, Arc<SessionLink>>,
    /// Pongs that were due, and when. They are missed by the next wake, which comes after what waits now.
    pongs_due: Vec<(Arc<SessionLink>, Duration)>,
}

impl Carriers {
    pub fn new(sessions: Arc<Sessions>) -> Self {
        Carriers {
            sessions,
            plain: None,
            links: HashMap::new(),
            pongs_due: Vec::new(),
        }
    }

    pub fn set_plain(&mut self, handler: Box<dyn Handler + Send>) {
        self.plain = Some(handler);
    }

    /// The next thing that a session has for the application.
    pub fn next_task(&mut self) -> Option<Task> {
        loop {
            match self.sessions.next_told()? {
                Task::PongDue(link, asked) => {
                    self.pongs_due.push((link, asked));
                    self.sessions.wake();
                }
                task => return Some(task),
            }
        }
    }

    /// A WebSocket for a new session, or one that there is.
    pub fn open(&mut self, connection: &Connection) {
        let query = connection.request().query_string().unwrap_or_default();
        let link = match check("GET", query, true) {
            Ok(SessionRequest::Open(Carrier::WebSocket)) => self.begin(connection),
            Ok(SessionRequest::Continue { sid, fits: true }) => {
                self.sessions.session(sid).inspect(|link| {
                    link.probe(connection, &self.sessions);
                })
            }
            _ => None,
        };
        match link {
            Some(link) => _ = self.links.insert(connection.id(), link),
            // Between its request and now its session has ended, or the last place was taken.
            None => _ = connection.close(CloseCode::NORMAL, ""),
        }
    }

    fn begin(&mut self, connection: &Connection) -> Option<Arc<SessionLink>> {
        let link = self
            .sessions
            .open(connection.request().clone(), Some(connection));
        link.ok().inspect(|link| link.see_to(&self.sessions))
    }

    /// The handler of plain WebSockets, if this is one.
    fn plain(&mut self, connection: &Connection) -> Option<&mut (dyn Handler + Send + 'static)> {
        let handler = self.plain.as_deref_mut();
        handler.filter(|_| !is_carrier(connection))
    }
}

fn is_carrier(connection: &Connection) -> bool {
    connection.data::<Mounted>().is_some()
}

impl Handler for Carriers {
    fn on_open(&mut self, connection: &Connection) {
        // A server that is gone had one of this number.
        self.links.remove(&connection.id());
        if is_carrier(connection) {
            return self.open(connection);
        }
        self.sessions.warn_if_unserved();
        match &mut self.plain {
            Some(handler) => handler.on_open(connection),
            None => _ = connection.close(CloseCode::NORMAL, ""),
        }
    }

    fn on_message(&mut self, connection: &Connection, message: Message) {
        if let Some(link) = self.links.get(&connection.id()) {
            link.receive(connection, message, &self.sessions);
        } else if let Some(handler) = self.plain(connection) {
            handler.on_message(connection, message);
        }
    }

    fn on_error(&mut self, connection: &Connection, error: &Error) {
        if let Some(handler) = self.plain(connection) {
            handler.on_error(connection, error);
        }
    }

    fn on_close(&mut self, connection: &Connection, close: &CloseEvent) {
        if let Some(link) = self.links.remove(&connection.id()) {
            link.connection_ended(connection, &self.sessions);
        } else if let Some(handler) = self.plain(connection) {
            handler.on_close(connection, close);
        }
    }

    fn on_drained(&mut self, connection: &Connection) {
        if let Some(link) = self.links.get(&connection.id()) {
            link.drained(connection, &self.sessions);
        } else if let Some(handler) = self.plain(connection) {
            handler.on_drained(connection);
        }
    }

    fn on_wake(&mut self) {
        self.sessions.warn_if_unserved();
        if let Some(handler) = &mut self.plain {
            handler.on_wake();
        }
        for (link, asked) in std::mem::take(&mut self.pongs_due) {
            link.see_to_pong(asked, &self.sessions);
        }
    }

    fn on_tick(&mut self, tick: Tick) {
        self.sessions.warn_if_unserved();
        if let Some(handler) = &mut self.plain {
            handler.on_tick(tick);
        }
    }
}

impl Drop for Carriers {
    fn drop(&mut self) {
        self.sessions.end();
    }
}
