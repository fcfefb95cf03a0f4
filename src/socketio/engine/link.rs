//! A session with its requests and WebSockets: each thread puts what it has into the session, and one thread at a time
//! does what comes out, without a lock and in order.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::part::Part;
use super::protocol::handshake::{Carrier, EngineError};
use super::protocol::output::{Output, PollAnswer, WebSocketInput};
use super::protocol::queue::QueuedPacket;
use super::protocol::session::EngineSession;
use super::sessions::{Sessions, Task};
use crate::atomic::AtomicU64;
use crate::lock::{Guard, Mutex, SESSION, lock};
use crate::socketio::reason::DisconnectReason;
use crate::{
    CloseCode, Connection, Message, ReadyState, Request, Responder, Response, SendErrorKind, Status,
};

/// An application that comes so late was away.
const AWAY: Duration = Duration::from_millis(500);

/// How soon the timer looks again for a pong that may wait for the application.
const AGAIN: Duration = Duration::from_secs(1);

pub(crate) struct SessionLink {
    /// A number that no other session of this process has.
    pub key: u64,
    /// Its name for the client, and a secret: a request that has it is the client's. Never to be logged.
    pub sid: String,
    /// What opened it.
    pub request: Request,
    state: Mutex<LinkState, SESSION>,
    /// The one deadline that the timer knows, in nanoseconds; `u64::MAX`: none, 0: none any more.
    pub noted: AtomicU64,
}

struct LinkState {
    session: EngineSession<Part>,
    carrier: Option<Connection>,
    candidate: Option<Connection>,
    /// The GET that waits for something.
    parked: Option<Responder>,
    /// The POST that waits for the application to take what came before.
    held: Option<Responder>,
    /// The timer has nothing to look at before: the pong that is due may wait for the application.
    not_before: Duration,
    /// The application has been asked to look for that pong, and has not looked.
    pong_is_asked: bool,
    /// What the session has put out, each with where it goes.
    actions: VecDeque<Action>,
    /// A thread does what the session puts out.
    is_driven: bool,
    /// The WebSocket has taken more since that thread began with the action under way: if it is a send that was
    /// refused, the word that there is room has come already.
    has_drained: bool,
}

/// Something that the session has put out.
enum Action {
    Send(Connection, QueuedPacket<Part>),
    Say(Connection, &'static str),
    Close(Connection),
    Answer(Responder, PollAnswer),
    Tell(Task),
}

/// A thread does one action. A panic in it gives the session back, for another thread to do what is left.
struct ActionTurn<'a>(&'a Arc<SessionLink>, &'a Sessions);

impl<'a> ActionTurn<'a> {
    /// The action is done, and the thread goes on.
    fn end(self) -> Guard<'a, LinkState> {
        let state = lock(&self.0.state);
        std::mem::forget(self);
        state
    }
}

impl Drop for ActionTurn<'_> {
    fn drop(&mut self) {
        let ActionTurn(link, sessions) = self;
        lock(&link.state).is_driven = false;
        // Nobody else may come: a session that is over hears no more.
        sessions.timer.note(link, sessions.now());
    }
}

impl SessionLink {
    /// A new session, over a WebSocket or by polling.
    pub fn new(
        sid: String,
        request: Request,
        carrier: Option<&Connection>,
        sessions: &Sessions,
    ) -> Arc<SessionLink> {
        let by = carrier.map_or(Carrier::Polling, |_| Carrier::WebSocket);
        let session = EngineSession::new(&sid, by, sessions.config, sessions.now());
        Arc::new(SessionLink {
            key: sessions.key(),
            sid,
            request,
            state: Mutex::new(LinkState {
                session,
                carrier: carrier.cloned(),
                candidate: None,
                parked: None,
                held: None,
                not_before: Duration::ZERO,
                pong_is_asked: false,
                actions: VecDeque::new(),
                is_driven: false,
                has_drained: false,
            }),
            noted: AtomicU64::new(u64::MAX),
        })
    }

    /// Does what the session has put out, if no other thread does so.
    pub fn see_to(self: &Arc<Self>, sessions: &Sessions) {
        self.drive(sessions, |_| ());
    }

    /// Answers a GET now or later.
    pub fn get(self: &Arc<Self>, sessions: &Arc<Sessions>) -> Response {
        self.drive(sessions, |state| {
            let answer = state.session.get(sessions.now());
            // The GET before this one may be due.
            self.collect(state);
            answer.map_or_else(
                || {
                    let (promise, responder) = self.answer_later(sessions, EngineSession::hung_up);
                    state.parked = Some(responder);
                    promise
                },
                respond,
            )
        })
    }

    /// An answer that comes later, and what is done when nobody waits for it any more.
    fn answer_later(
        self: &Arc<Self>,
        sessions: &Arc<Sessions>,
        on_gone: fn(&mut EngineSession<Part>),
    ) -> (Response, Responder) {
        let (promise, responder) = Response::later();
        let (link, sessions) = (Arc::downgrade(self), Arc::downgrade(sessions));
        responder.on_gone(move || {
            if let (Some(link), Some(sessions)) = (link.upgrade(), sessions.upgrade()) {
                link.drive(&sessions, |state| on_gone(&mut state.session));
            }
        });
        (promise, responder)
    }

    /// Answers a POST now or later.
    pub fn post(self: &Arc<Self>, body: &[u8], octets: bool, sessions: &Arc<Sessions>) -> Response {
        self.drive(sessions, |state| {
            let answer = state.session.post(body, octets, sessions.now());
            answer.map_or_else(
                || {
                    let (promise, responder) =
                        self.answer_later(sessions, EngineSession::post_hung_up);
                    // As for a WebSocket, whose reader waits: a slow application costs nobody its session.
                    responder.lift_deadline();
                    state.held = Some(responder);
                    promise
                },
                respond,
            )
        })
    }

    /// The application has taken a message of so many bytes.
    pub fn note_taken(self: &Arc<Self>, bytes: usize, sessions: &Sessions) {
        self.drive(sessions, |state| {
            state.session.note_taken(bytes, sessions.now());
        });
    }

    /// A WebSocket that names this session is let in.
    pub fn expect_candidate(self: &Arc<Self>, sessions: &Sessions) {
        self.drive(sessions, |state| {
            state.session.expect_candidate(sessions.now())
        });
    }

    /// A WebSocket names this session; it is closed where there is no place for it.
    pub fn probe(self: &Arc<Self>, connection: &Connection, sessions: &Sessions) {
        let taken = self.drive(sessions, |state| {
            let taken = state.session.probe(sessions.now());
            if taken {
                state.candidate = Some(connection.clone());
            }
            taken
        });
        if !taken {
            close(connection);
        }
    }

    pub fn receive(
        self: &Arc<Self>,
        connection: &Connection,
        message: Message,
        sessions: &Sessions,
    ) {
        let message = match message {
            Message::Text(text) => WebSocketInput::Text(text),
            Message::Binary(bytes) => WebSocketInput::Binary(bytes),
        };
        self.drive(sessions, |state| {
            if state.candidate.as_ref() == Some(connection) {
                state.session.hear_candidate(&message, sessions.now());
            } else if state.carrier.as_ref() == Some(connection) {
                state.session.hear_carrier(message, sessions.now());
            }
        });
    }

    pub fn connection_ended(self: &Arc<Self>, connection: &Connection, sessions: &Sessions) {
        self.drive(sessions, |state| {
            if state.candidate.as_ref() == Some(connection) {
                state.candidate = None;
                state.session.candidate_ended();
            } else if state.carrier.as_ref() == Some(connection) {
                state.carrier = None;
                let reason = match sessions.is_shutting_down() {
                    true => DisconnectReason::ServerShuttingDown,
                    false => DisconnectReason::TransportClose,
                };
                state.session.carrier_ended(reason);
            }
        });
    }

    /// Ends the session if its WebSocket is open no longer: the server of that is gone, and its Close event with it.
    pub fn look_at_carrier(self: &Arc<Self>, sessions: &Sessions) {
        let carrier = lock(&self.state).carrier.clone();
        let closed = carrier.filter(|it| it.ready_state() != ReadyState::Open);
        if let Some(closed) = closed {
            self.connection_ended(&closed, sessions);
        }
    }

    /// Sends a packet, all of it or nothing. Where a client that polls takes too little, `overflow` decides, as it does
    /// for WebSockets.
    pub fn send(self: &Arc<Self>, packet: &[Part], sessions: &Sessions) {
        let dropped = self.drive(sessions, |state| state.session.send(packet));
        sessions.note_dropped(dropped);
    }

    /// Puts a packet in line, as [`send`](SessionLink::send) does. It leaves when this is
    /// [seen to](SessionLink::see_to): it runs no code of the user's, and may be called under a lock.
    pub fn put_in_line(self: &Arc<Self>, packet: &[Part], sessions: &Sessions) {
        let mut state = lock(&self.state);
        let dropped = state.session.send(packet);
        self.collect(&mut state);
        sessions.note_dropped(dropped);
    }

    /// As [`put_in_line`](SessionLink::put_in_line), for packets that are the client's in any case, and bounded
    /// elsewhere.
    pub fn put_owed_in_line(self: &Arc<Self>, packets: impl Iterator<Item = QueuedPacket<Part>>) {
        let mut state = lock(&self.state);
        state.session.send_owed(packets);
        self.collect(&mut state);
    }

    /// Sends a packet if it can leave now.
    pub fn send_volatile(self: &Arc<Self>, packet: &[Part], sessions: &Sessions) {
        let dropped = self.drive(sessions, |state| {
            let is_writable = state.session.is_writable(packet)
                && state.actions.is_empty()
                && !state.carrier.as_ref().is_some_and(Connection::is_stalled);
            match is_writable {
                true => state.session.send(packet),
                false => 1,
            }
        });
        sessions.note_dropped(dropped);
    }

    /// Ends the session after what waits.
    pub fn close(self: &Arc<Self>, reason: DisconnectReason, sessions: &Sessions) {
        self.drive(sessions, |state| {
            state.session.close(reason, sessions.now())
        });
    }

    /// Ends the session at once.
    pub fn end(self: &Arc<Self>, reason: DisconnectReason, sessions: &Sessions) {
        self.drive(sessions, |state| state.session.end(reason));
    }

    /// The server shuts down. A WebSocket gets the Close of the server itself.
    pub fn shut_down(self: &Arc<Self>, sessions: &Sessions) {
        self.drive(sessions, |state| {
            if state.carrier.is_none() {
                state.session.end(DisconnectReason::ServerShuttingDown);
            }
        });
    }

    /// Whether it can still send something.
    pub fn is_open(&self) -> bool {
        lock(&self.state).session.is_open()
    }

    /// Does what is due. Where the client would be found gone, its pong may wait for the application: that is to look
    /// for it after what waits now, and is asked to once until it has.
    pub fn see_to_time(self: &Arc<Self>, sessions: &Sessions) {
        let now = sessions.now();
        let is_to_look = self.drive(sessions, |state| {
            let overdue = state.session.is_overdue(now);
            let carrier = state.carrier.as_ref().filter(|_| overdue);
            state.not_before = match carrier.map(Connection::ready_state) {
                None => {
                    state.session.see_to_time(now);
                    return false;
                }
                // Its Close event ends the session, or the next server does: there may be none to take it.
                Some(ReadyState::Closed) => Duration::MAX,
                Some(_) => now + AGAIN,
            };
            !std::mem::replace(&mut state.pong_is_asked, true)
        });
        if is_to_look {
            sessions.tell(Task::PongDue(self.clone(), now));
        }
    }

    /// A pong was due at `asked`, and the application has taken what waited for it then. If it was away, the client has
    /// one more round.
    pub fn see_to_pong(self: &Arc<Self>, asked: Duration, sessions: &Sessions) {
        self.drive(sessions, |state| {
            state.pong_is_asked = false;
            state.not_before = Duration::ZERO;
            let now = sessions.now();
            match now.saturating_sub(asked) > AWAY {
                true => state.session.one_more_round(now),
                false => state.session.see_to_time(now),
            }
        });
    }

    /// The WebSocket takes no more: what was to leave over it waits in the session.
    fn refused(
        self: &Arc<Self>,
        carrier: &Connection,
        first: QueuedPacket<Part>,
        sessions: &Sessions,
    ) {
        let mut state = lock(&self.state);
        self.collect(&mut state);
        let mut refused = vec![first];
        let actions = std::mem::take(&mut state.actions).into_iter();
        let others = actions.filter_map(|action| match action {
            Action::Send(to, queued) if to == *carrier => {
                refused.push(queued);
                None
            }
            other => Some(other),
        });
        state.actions = others.collect();
        let lost = state.session.refused(refused);
        sessions.note_dropped(lost);
        if state.has_drained {
            state.session.drained();
        }
    }

    /// The WebSocket takes more.
    pub fn drained(self: &Arc<Self>, connection: &Connection, sessions: &Sessions) {
        self.drive(sessions, |state| {
            if state.carrier.as_ref() == Some(connection) {
                state.has_drained = true;
                state.session.drained();
            }
        });
    }

    fn drive<R>(self: &Arc<Self>, sessions: &Sessions, act: impl FnOnce(&mut LinkState) -> R) -> R {
        let mut state = lock(&self.state);
        let result = act(&mut state);
        self.collect(&mut state);
        if state.is_driven {
            return result;
        }
        state.is_driven = true;
        while let Some(action) = state.actions.pop_front() {
            state.has_drained = false;
            drop(state);
            let turn = ActionTurn(self, sessions);
            self.perform(action, sessions);
            state = turn.end();
            self.collect(&mut state);
        }
        state.is_driven = false;
        self.conclude(state, sessions);
        result
    }

    fn conclude(self: &Arc<Self>, state: Guard<'_, LinkState>, sessions: &Sessions) {
        let deadline = state.session.deadline();
        let deadline = deadline.map(|deadline| deadline.max(state.not_before));
        let is_over = state.session.is_over();
        drop(state);
        // prevents: a session that is over stays in the list
        match deadline {
            Some(deadline) => sessions.timer.note(self, deadline),
            None if is_over => sessions.forget(self),
            None => {}
        }
    }

    /// Takes down what the session has put out, each with where it goes now.
    fn collect(self: &Arc<Self>, state: &mut LinkState) {
        let answer = |to: Option<Responder>, said| to.map(|to| Action::Answer(to, said));
        let heard = |message| Some(Action::Tell(Task::Message(self.clone(), message)));
        while let Some(output) = state.session.next_output() {
            let action = match output {
                Output::Write(queued) => state.carrier.clone().map(|to| Action::Send(to, queued)),
                Output::Probe(text) => state.candidate.clone().map(|to| Action::Say(to, text)),
                Output::Promote => {
                    state.carrier = state.candidate.take();
                    None
                }
                Output::CloseCarrier => state.carrier.take().map(Action::Close),
                Output::CloseCandidate => state.candidate.take().map(Action::Close),
                Output::Answer(said) => answer(state.parked.take(), said),
                Output::AnswerPost(said) => answer(state.held.take(), said),
                Output::Text(text) => heard(Message::Text(text)),
                Output::Binary(bytes) => heard(Message::Binary(bytes)),
                Output::End(reason) => Some(Action::Tell(Task::Ended(self.clone(), reason))),
            };
            state.actions.extend(action);
        }
    }

    fn perform(self: &Arc<Self>, action: Action, sessions: &Sessions) {
        match action {
            Action::Send(connection, queued) => {
                let sent = connection.send_prepared(queued.packet.frame());
                if sent == Err(SendErrorKind::Full) {
                    self.refused(&connection, queued, sessions);
                }
            }
            // Its Close event is on the way, or the client hears nothing and leaves.
            Action::Say(connection, text) => drop(connection.send(text)),
            Action::Close(connection) => close(&connection),
            // Err: the client has left.
            Action::Answer(responder, answer) => drop(responder.send(respond(answer))),
            Action::Tell(item) => sessions.tell(item),
        }
    }
}

fn close(connection: &Connection) {
    // Err: it is closing already.
    let _ = connection.close(CloseCode::NORMAL, "");
}

/// The answer as the reference server gives it.
fn respond(answer: PollAnswer) -> Response {
    let (kind, body) = match answer {
        PollAnswer::Payload(payload) => ("text/plain; charset=UTF-8", payload),
        PollAnswer::Taken => ("text/html", b"ok".to_vec()),
        PollAnswer::Error(error) => return refusal(error),
        PollAnswer::Bad => return Status::BAD_REQUEST.into(),
        PollAnswer::TooLarge => return Status::CONTENT_TOO_LARGE.into(),
    };
    let response = Response::ok().with_body(body);
    let typed = response.with_header("Content-Type", kind);
    // Both are valid as they stand here.
    let response = typed.and_then(|typed| typed.with_header("Cache-Control", "no-store"));
    response.unwrap_or(Status::INTERNAL_SERVER_ERROR.into())
}

/// The refusal of a request, as the protocol's clients know it.
pub(crate) fn refusal(error: EngineError) -> Response {
    refusal_with(error, error.message())
}

/// As [`refusal`], with other words.
pub(crate) fn refusal_with(error: EngineError, message: &str) -> Response {
    let (code, message) = (error as u8, Value::from(message));
    let json = Response::json(format!(r#"{{"code":{code},"message":{message}}}"#));
    json.with_status(match error {
        EngineError::Forbidden => Status::FORBIDDEN,
        _ => Status::BAD_REQUEST,
    })
}

#[cfg(test)]
mod tests;
