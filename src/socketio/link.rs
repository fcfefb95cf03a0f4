//! A session with its WebSockets: whoever has something for it puts that into the session, and one thread at a time
//! does what comes out, without a lock and in order.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use super::core::{Core, Item};
use super::engine::handshake::Carrier;
use super::engine::queue::{Outgoing, QueueFull};
use super::engine::session::{EndReason, EngineSession, Incoming, Output};
use super::part::Part;
use crate::lock::{Guard, Mutex, SESSION, lock};
use crate::{CloseCode, Connection, Message, Request, SendErrorKind};

/// An application that comes so late was away.
const AWAY: Duration = Duration::from_millis(500);

pub(super) struct Link {
    /// A number that no other session of this process has.
    pub key: u64,
    /// Its name for the client. Whoever has it is the client: never to be logged.
    pub sid: String,
    /// What opened it.
    pub request: Request,
    state: Mutex<State, SESSION>,
    /// The deadline that the timer knows, in nanoseconds.
    pub noted: AtomicU64,
}

struct State {
    session: EngineSession<Part>,
    carrier: Option<Connection>,
    candidate: Option<Connection>,
    /// A thread does what the session puts out.
    is_driven: bool,
}

/// Something that the session has put out.
enum Action {
    Send(Connection, Part),
    Say(Connection, String),
    Close(Connection),
    Tell(Item),
}

impl Link {
    pub fn over(key: u64, sid: String, connection: &Connection, core: &Core) -> Arc<Link> {
        let config = core.limits.engine();
        let session = EngineSession::new(&sid, Carrier::WebSocket, config, core.now());
        Arc::new(Link {
            key,
            sid,
            request: connection.request().clone(),
            state: Mutex::new(State {
                session,
                carrier: Some(connection.clone()),
                candidate: None,
                is_driven: false,
            }),
            noted: AtomicU64::new(u64::MAX),
        })
    }

    /// Does what the session has put out, if nobody is at it.
    pub fn see_to(self: &Arc<Self>, core: &Core) {
        self.drive(core, |_| ());
    }

    /// A WebSocket names this session; it is closed where there is no place for it.
    pub fn probe(self: &Arc<Self>, connection: &Connection, core: &Core) {
        let taken = self.drive(core, |state| {
            let taken = state.session.probe(core.now());
            if taken {
                state.candidate = Some(connection.clone());
            }
            taken
        });
        if !taken {
            close(connection);
        }
    }

    pub fn receive(self: &Arc<Self>, connection: &Connection, message: Message, core: &Core) {
        let message = match message {
            Message::Text(text) => Incoming::Text(text),
            Message::Binary(bytes) => Incoming::Binary(bytes),
        };
        self.drive(core, |state| {
            if state.candidate.as_ref() == Some(connection) {
                state.session.hear_candidate(&message);
            } else if state.carrier.as_ref() == Some(connection) {
                state.session.hear_carrier(message, core.now());
            }
        });
    }

    pub fn connection_ended(self: &Arc<Self>, connection: &Connection, core: &Core) {
        self.drive(core, |state| {
            if state.candidate.as_ref() == Some(connection) {
                state.candidate = None;
                state.session.candidate_ended();
            } else if state.carrier.as_ref() == Some(connection) {
                state.carrier = None;
                state.session.carrier_ended();
            }
        });
    }

    /// Sends a packet, all of it or nothing. Of a client that takes too little the session ends.
    pub fn send(self: &Arc<Self>, packet: &[Part], core: &Core) {
        self.drive(core, |state| {
            if let Err(QueueFull) = state.session.send(packet) {
                state.session.end(EndReason::TransportError);
            }
        });
    }

    /// Sends a packet if it can leave now.
    pub fn send_volatile(self: &Arc<Self>, packet: &[Part], core: &Core) {
        self.drive(core, |state| {
            let waits = |carrier: &Connection| carrier.buffered_amount() > 0;
            let is_writable = state.session.is_writable()
                && !state.is_driven
                && !state.carrier.as_ref().is_some_and(waits);
            if is_writable {
                // It has room for one.
                let _ = state.session.send(packet);
            }
        });
    }

    /// Ends the session behind what waits.
    pub fn close(self: &Arc<Self>, core: &Core) {
        self.drive(core, |state| state.session.close(core.now()));
    }

    pub fn end(self: &Arc<Self>, reason: EndReason, core: &Core) {
        self.drive(core, |state| state.session.end(reason));
    }

    /// Does what is due; false if the client would be found gone, and its pong may wait for the application.
    pub fn see_to_time(self: &Arc<Self>, core: &Core) -> bool {
        self.drive(core, |state| {
            if state.carrier.is_some() && state.session.is_overdue(core.now()) {
                return false;
            }
            state.session.see_to_time(core.now());
            true
        })
    }

    /// A pong was due at `asked`, and the application has taken what waited for it then. If it was away, the client has
    /// one more round.
    pub fn see_to_pong(self: &Arc<Self>, asked: Duration, core: &Core) {
        self.drive(core, |state| {
            let now = core.now();
            match now.saturating_sub(asked) > AWAY {
                true => state.session.one_more_round(now),
                false => state.session.see_to_time(now),
            }
        });
    }

    fn drive<R>(self: &Arc<Self>, core: &Core, act: impl FnOnce(&mut State) -> R) -> R {
        let mut state = lock(&self.state);
        let result = act(&mut state);
        if state.is_driven {
            return result;
        }
        state.is_driven = true;
        loop {
            let actions = self.take_actions(&mut state);
            if actions.is_empty() {
                break;
            }
            drop(state);
            actions
                .into_iter()
                .for_each(|action| self.perform(action, core));
            state = lock(&self.state);
        }
        state.is_driven = false;
        self.conclude(state, core);
        result
    }

    fn conclude(self: &Arc<Self>, state: Guard<'_, State>, core: &Core) {
        let deadline = state.session.deadline();
        let is_over = state.session.is_over();
        drop(state);
        match deadline {
            Some(deadline) => core.timer.note(self, deadline),
            None if is_over => core.forget(self),
            None => {}
        }
    }

    fn take_actions(self: &Arc<Self>, state: &mut State) -> Vec<Action> {
        let mut actions = Vec::new();
        while let Some(output) = state.session.next_output() {
            let action = match output {
                Output::Write(Outgoing::Message(part)) => {
                    state.carrier.clone().map(|to| Action::Send(to, part))
                }
                Output::Write(Outgoing::Control(text)) => {
                    state.carrier.clone().map(|to| Action::Say(to, text))
                }
                Output::Probe(text) => {
                    let to = state.candidate.clone();
                    to.map(|to| Action::Say(to, text.to_owned()))
                }
                Output::Promote => {
                    state.carrier = state.candidate.take();
                    None
                }
                Output::CloseCarrier => state.carrier.take().map(Action::Close),
                Output::CloseCandidate => state.candidate.take().map(Action::Close),
                Output::Text(text) => Some(Action::Tell(Item::Text(self.clone(), text))),
                Output::Binary(bytes) => Some(Action::Tell(Item::Binary(self.clone(), bytes))),
                Output::End(reason) => Some(Action::Tell(Item::Ended(self.clone(), reason))),
                Output::Answer(_) => None,
            };
            actions.extend(action);
        }
        actions
    }

    fn perform(self: &Arc<Self>, action: Action, core: &Core) {
        match action {
            Action::Send(connection, part) => {
                let sent = connection.send_prepared(part.frame());
                // The rest of its packet would be taken for that of another.
                if sent == Err(SendErrorKind::Full) && part.is_of_several() {
                    lock(&self.state).session.end(EndReason::TransportError);
                }
            }
            // Its Close event is on the way, or the client hears nothing and leaves.
            Action::Say(connection, text) => drop(connection.send(text)),
            Action::Close(connection) => close(&connection),
            Action::Tell(item) => core.tell(item),
        }
    }
}

fn close(connection: &Connection) {
    // Err: it is closing already.
    let _ = connection.close(CloseCode::NORMAL, "");
}
