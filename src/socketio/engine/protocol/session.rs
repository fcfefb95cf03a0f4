//! A session of Engine.IO as a machine: requests, messages of WebSockets, what the application sends and the time go
//! in; answers, messages and events come out, in order.
//!
//! What is behind each rule: a bug report of another server's, named where it is tested.

use std::collections::VecDeque;

use core::time::Duration;

use super::config::EngineConfig;
use super::handshake::{Carrier, EngineError};
use super::heartbeat::{Heartbeat, HeartbeatDue};
use super::output::{Output, PollAnswer, WebSocketInput};
use super::packet::{EnginePacket, MalformedPacket};
use super::payload::Packets;
use super::polling::Polling;
use super::queue::{Carried, PacketQueue, QueueFull, QueuedPacket};
use super::untaken::Untaken;
use super::upgrade::UpgradeState;
use crate::socketio::reason::DisconnectReason;

/// How long a GET that comes while an upgrade is under way waits for what is sent, or for the end of the upgrade: the
/// packets of that may be overtaken by a GET on another TCP connection.
const UPGRADE_PATIENCE: Duration = Duration::from_millis(200);

/// How long the GET of a client that closes is waited for: its Close may have overtaken it on another TCP connection.
const LEAVE_PATIENCE: Duration = Duration::from_secs(1);

/// How long the Close of the server waits for the next GET, as with the reference server.
const CLOSE_PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, PartialEq, Eq)]
enum SessionState {
    Open,
    /// The Close of the server waits for a GET.
    Closing {
        until: Duration,
    },
    /// The client has closed, and the GET that it sent before may still come.
    Leaving {
        until: Duration,
    },
    Ended,
}

#[derive(Debug)]
pub struct EngineSession<M> {
    config: EngineConfig,
    state: SessionState,
    carrier: Carrier,
    /// The WebSocket that carries the session takes no more for now.
    is_blocked: bool,
    polling: Polling,
    upgrade: UpgradeState,
    untaken: Untaken,
    heartbeat: Heartbeat,
    queue: PacketQueue<M>,
    outputs: VecDeque<Output<M>>,
}

impl<M: Carried> EngineSession<M> {
    /// A new session; what it says first is the handshake.
    pub fn new(sid: &str, carrier: Carrier, config: EngineConfig, now: Duration) -> Self {
        let heartbeat = Heartbeat::new(config.ping_interval, config.ping_timeout, now);
        let mut session = EngineSession {
            queue: PacketQueue::new(config.queue),
            config,
            state: SessionState::Open,
            carrier,
            is_blocked: false,
            polling: Polling::default(),
            upgrade: UpgradeState::default(),
            untaken: Untaken::default(),
            heartbeat,
            outputs: VecDeque::new(),
        };
        session.send_control(config.open_packet(sid, carrier));
        session
    }

    /// The next thing to be done. To be asked for after every call, until there is none.
    pub fn next_output(&mut self) -> Option<Output<M>> {
        self.outputs.pop_front()
    }

    /// Nothing is left to be said or heard.
    pub fn is_over(&self) -> bool {
        self.state == SessionState::Ended && self.outputs.is_empty()
    }

    /// When [`see_to_time`](EngineSession::see_to_time) has something to do.
    pub fn deadline(&self) -> Option<Duration> {
        let heartbeat = match self.state {
            SessionState::Open => self.heartbeat.deadline(!self.untaken.is_post_held()),
            SessionState::Closing { until } | SessionState::Leaving { until } => Some(until),
            SessionState::Ended => return None,
        };
        let others = [self.upgrade.deadline(), self.polling.deadline()];
        others.into_iter().chain([heartbeat]).flatten().min()
    }

    /// Whether the client would be found gone now. A pong may wait for the application meanwhile.
    pub fn is_overdue(&self, now: Duration) -> bool {
        self.state == SessionState::Open && self.heartbeat.is_overdue(now)
    }

    /// Does what is due. Every request does so first, so that deadlines hold wherever time is looked at.
    pub fn see_to_time(&mut self, now: Duration) {
        match self.state {
            SessionState::Closing { until } | SessionState::Leaving { until } if until <= now => {
                self.end(DisconnectReason::ForcedServerClose);
            }
            _ => {}
        }
        if self.upgrade.deadline().is_some_and(|until| until <= now) {
            self.drop_candidate();
        }
        if self.polling.let_go_by(now) {
            self.flush();
        }
        if self.polling.is_due(now) {
            self.answer_parked("6");
        }
        self.see_to_heartbeat(now);
    }

    /// A ping that the client did not fetch in time has been missed when this is asked. A pong cannot come while a POST
    /// is held, and is not missed.
    fn see_to_heartbeat(&mut self, now: Duration) {
        while self.state == SessionState::Open {
            let leaves_now = self.carrier == Carrier::WebSocket || self.polling.is_parked();
            match self.heartbeat.due(now, leaves_now) {
                HeartbeatDue::Nothing => return,
                HeartbeatDue::Ping => self.send_control("2".to_owned()),
                HeartbeatDue::Timeout if self.untaken.is_post_held() => return,
                HeartbeatDue::Timeout => self.end(DisconnectReason::PingTimeout),
            }
        }
    }

    /// What reads stood still: a pong has its whole time again.
    pub fn one_more_round(&mut self, now: Duration) {
        self.heartbeat.one_more_round(now);
    }

    /// A GET of polling; without an answer it is parked, and one comes as [`Output::Answer`].
    pub fn get(&mut self, now: Duration) -> Option<PollAnswer> {
        self.see_to_time(now);
        if let Some(refused) = self.refuse_polling() {
            return Some(refused);
        }
        if matches!(self.state, SessionState::Leaving { .. }) {
            self.end(DisconnectReason::TransportClose);
            return Some(PollAnswer::Payload(b"6".to_vec()));
        }
        if self.polling.is_parked() {
            self.end(DisconnectReason::TransportError);
            return Some(PollAnswer::Bad);
        }
        if !self.polling.is_held() {
            if let Some(payload) = self.take_payload() {
                return Some(PollAnswer::Payload(payload));
            }
        }
        let is_hasty = self.upgrade.may_overtake(now);
        let noop_at = (self.upgrade.is_probed()).then(|| now + UPGRADE_PATIENCE);
        self.polling.park(is_hasty, noop_at);
        None
    }

    /// The client of the parked GET hung up. It is answered all the same: who ended only its own side of the stream
    /// still reads.
    pub fn hung_up(&mut self) {
        if self.polling.is_parked() {
            // prevents: a client that hung up stays
            self.end(DisconnectReason::TransportError);
        }
    }

    /// The client of the POST that is held hung up, or was refused.
    pub fn post_hung_up(&mut self) {
        if self.untaken.is_post_held() {
            self.end(DisconnectReason::TransportError);
        }
    }

    /// A POST of polling with its whole body; `octets`: it says that it is binary, which this protocol has no use for.
    /// Without an answer too much waits for the application, and one comes as [`Output::AnswerPost`] when it has taken
    /// that. So a client that polls sends no faster than it is heard.
    pub fn post(&mut self, body: &[u8], octets: bool, now: Duration) -> Option<PollAnswer> {
        self.see_to_time(now);
        if matches!(self.state, SessionState::Leaving { .. }) {
            return Some(PollAnswer::Error(EngineError::UnknownSession));
        }
        if let Some(refused) = self.refuse_polling() {
            return Some(refused);
        }
        if octets || self.untaken.is_post_held() {
            self.end(DisconnectReason::TransportError);
            return Some(PollAnswer::Bad);
        }
        if body.len() > self.config.max_payload {
            self.end(DisconnectReason::TransportError);
            return Some(PollAnswer::TooLarge);
        }
        match core::str::from_utf8(body) {
            Ok(body) => self.read_post(Some(body), now),
            Err(_) => Some(self.refuse_post()),
        }
    }

    /// Reads of a body what the application may have; gives the answer, or holds the POST.
    fn read_post(&mut self, rest: Option<&str>, now: Duration) -> Option<PollAnswer> {
        let mut packets = Packets { rest };
        while self.untaken.has_room() {
            match packets.next() {
                Some(Ok(packet)) => self.take(packet, now),
                Some(Err(MalformedPacket)) => return Some(self.refuse_post()),
                None => break,
            }
        }
        let rest = packets.rest;
        let is_heard = rest.is_none() && self.untaken.bytes() <= self.config.max_payload;
        if is_heard || self.state != SessionState::Open {
            return Some(PollAnswer::Taken);
        }
        self.untaken.hold_post(rest.map(str::to_owned));
        None
    }

    fn refuse_post(&mut self) -> PollAnswer {
        self.end(DisconnectReason::ParseError);
        PollAnswer::Bad
    }

    /// The session takes no more of the client: what is left of the POST that is held means nothing.
    fn let_post_go(&mut self) {
        if self.untaken.take_post().is_some() {
            let answer = Output::AnswerPost(PollAnswer::Taken);
            self.outputs.push_back(answer);
        }
    }

    fn refuse_polling(&self) -> Option<PollAnswer> {
        if self.state == SessionState::Ended {
            return Some(PollAnswer::Error(EngineError::UnknownSession));
        }
        let is_upgraded = self.carrier == Carrier::WebSocket;
        is_upgraded.then_some(PollAnswer::Error(EngineError::BadRequest))
    }

    /// A WebSocket that names this session is let in, and will be open soon.
    pub fn expect_candidate(&mut self, now: Duration) {
        self.upgrade.expect(now + self.config.upgrade_timeout);
    }

    /// A WebSocket names this session; false if it is to be closed again.
    pub fn probe(&mut self, now: Duration) -> bool {
        self.see_to_time(now);
        self.upgrade.note_open();
        let may = self.state == SessionState::Open
            && self.carrier == Carrier::Polling
            && !self.upgrade.is_under_way();
        if may {
            self.upgrade.begin(now + self.config.upgrade_timeout);
        }
        may
    }

    /// A message over the WebSocket that is probed.
    pub fn hear_candidate(&mut self, message: &WebSocketInput, now: Duration) {
        if !self.upgrade.is_under_way() {
            return;
        }
        let packet = match message {
            WebSocketInput::Text(text) => EnginePacket::decode(text),
            WebSocketInput::Binary(_) => Err(MalformedPacket),
        };
        match packet {
            Ok(EnginePacket::Ping("probe")) => {
                self.upgrade.note_probe();
                self.outputs.push_back(Output::Probe("3probe"));
                if self.polling.note_probe(now + UPGRADE_PATIENCE) {
                    self.answer_parked("6");
                }
            }
            Ok(EnginePacket::Upgrade) => self.promote(),
            _ => self.drop_candidate(),
        }
    }

    /// The WebSocket that is probed has ended: polling goes on.
    pub fn candidate_ended(&mut self) {
        self.upgrade.end();
        self.polling.forget_probe();
    }

    fn drop_candidate(&mut self) {
        if self.upgrade.end() {
            self.outputs.push_back(Output::CloseCandidate);
            self.polling.forget_probe();
        }
    }

    fn promote(&mut self) {
        self.upgrade.end();
        self.polling.let_go();
        self.carrier = Carrier::WebSocket;
        self.outputs.push_back(Output::Promote);
        // It came after the last GET of the client's, and has overtaken nothing but the upgrade.
        if self.polling.take_parked() {
            let late = PollAnswer::Error(EngineError::BadRequest);
            self.outputs.push_back(Output::Answer(late));
        }
        // prevents: what waits at an upgrade is lost
        self.flush();
    }

    /// A message over the WebSocket that carries the session. It may have waited for the application, so that the time
    /// says nothing against the client here.
    pub fn hear_carrier(&mut self, message: WebSocketInput, now: Duration) {
        if self.state != SessionState::Open || self.carrier != Carrier::WebSocket {
            return;
        }
        let len = match &message {
            WebSocketInput::Text(text) => text.len(),
            WebSocketInput::Binary(bytes) => bytes.len(),
        };
        if len > self.config.max_payload {
            return self.end(DisconnectReason::TransportError);
        }
        match message {
            WebSocketInput::Binary(bytes) => self.take(EnginePacket::Binary(bytes), now),
            // The usual one, without a copy.
            WebSocketInput::Text(mut text) if text.starts_with('4') => {
                self.heartbeat.note_packet(now);
                text.remove(0);
                self.hand_on(Output::Text(text), now);
            }
            WebSocketInput::Text(text) => match EnginePacket::decode(&text) {
                Ok(packet) => self.take(packet, now),
                Err(MalformedPacket) => self.end(DisconnectReason::ParseError),
            },
        }
    }

    /// The WebSocket that carries the session has ended.
    pub fn carrier_ended(&mut self, reason: DisconnectReason) {
        if self.carrier == Carrier::WebSocket {
            self.end(reason);
        }
    }

    fn take(&mut self, packet: EnginePacket<'_>, now: Duration) {
        if self.state != SessionState::Open {
            return;
        }
        match &packet {
            EnginePacket::Pong => self.heartbeat.note_pong(now),
            _ => self.heartbeat.note_packet(now),
        }
        match packet {
            EnginePacket::Text(text) => self.hand_on(Output::Text(text.to_owned()), now),
            EnginePacket::Binary(bytes) => self.hand_on(Output::Binary(bytes), now),
            EnginePacket::Close => self.leave(now),
            // Servers ping, clients answer.
            EnginePacket::Ping(_) => self.end(DisconnectReason::TransportError),
            EnginePacket::Pong
            | EnginePacket::Open
            | EnginePacket::Upgrade
            | EnginePacket::Noop => {}
        }
    }

    /// A message of the client's goes to the application.
    fn hand_on(&mut self, message: Output<M>, now: Duration) {
        self.untaken.add(match &message {
            Output::Text(text) => text.len(),
            Output::Binary(bytes) => bytes.len(),
            _ => 0,
        });
        self.outputs.push_back(message);
        if self.carrier == Carrier::Polling {
            self.polling.hold(now);
        }
    }

    /// The application has taken one of the client's messages, of so many bytes, and sent what it has to say about it.
    pub fn note_taken(&mut self, bytes: usize, now: Duration) {
        self.untaken.remove(bytes);
        self.read_on(now);
        if self.untaken.is_empty() && self.polling.let_go() {
            self.flush();
        }
    }

    /// Reads on in the POST that is held, once everything before has been taken.
    fn read_on(&mut self, now: Duration) {
        let Some(held) = self.untaken.take_post_to_read_on() else {
            return;
        };
        if let Some(answer) = self.read_post(held.rest.as_deref(), now) {
            self.one_more_round(now);
            self.outputs.push_back(Output::AnswerPost(answer));
        }
    }

    /// The client closes.
    fn leave(&mut self, now: Duration) {
        if self.carrier == Carrier::WebSocket || self.polling.is_parked() {
            self.answer_parked("6");
            return self.end(DisconnectReason::TransportClose);
        }
        self.drop_candidate();
        self.queue.clear();
        self.state = SessionState::Leaving {
            until: now + LEAVE_PATIENCE,
        };
        self.outputs
            .push_back(Output::End(DisconnectReason::TransportClose));
    }

    /// Sends messages that belong together, all or none. Gives how many groups were dropped because the client takes
    /// too little.
    pub fn send(&mut self, group: &[M]) -> usize {
        if self.state != SessionState::Open {
            return 0;
        }
        if self.carrier == Carrier::WebSocket && !self.is_blocked {
            let written = QueuedPacket::group(group);
            self.outputs.extend(written.map(Output::Write));
            return 0;
        }
        match self.queue.push(group) {
            Ok(dropped) => {
                self.flush();
                dropped
            }
            Err(QueueFull) => {
                self.end(DisconnectReason::TransportError);
                0
            }
        }
    }

    /// Sends what the client is to get in any case: its bound is elsewhere, and it takes no room of others.
    pub fn send_owed(&mut self, packets: impl Iterator<Item = QueuedPacket<M>>) {
        if self.state == SessionState::Open {
            self.queue.push_owed(packets);
            self.flush();
        }
    }

    /// The WebSocket that carries the session takes no more: these were to leave over it, and are the first to do so
    /// once it [takes more](EngineSession::drained). Gives how many are lost, for the session has ended.
    pub fn refused(&mut self, packets: Vec<QueuedPacket<M>>) -> usize {
        if self.state == SessionState::Ended {
            return packets.len();
        }
        self.is_blocked = true;
        self.queue.put_back(packets);
        0
    }

    /// The WebSocket that carries the session takes more.
    pub fn drained(&mut self) {
        self.is_blocked = false;
        self.flush();
    }

    /// Whether what is sent has a client.
    pub fn is_open(&self) -> bool {
        self.state == SessionState::Open
    }

    /// Whether messages that are sent now leave now, or as soon as the application has taken what the client sent.
    pub fn is_writable(&self, group: &[M]) -> bool {
        let has_room = match self.carrier {
            Carrier::WebSocket => !self.is_blocked,
            Carrier::Polling => self.polling.is_parked() && self.queue.has_room_for(group),
        };
        self.state == SessionState::Open && has_room
    }

    /// Ends the session for the client: what waits goes first.
    pub fn close(&mut self, reason: DisconnectReason, now: Duration) {
        if self.state != SessionState::Open {
            return;
        }
        self.drop_candidate();
        if self.carrier == Carrier::WebSocket && self.queue.is_empty() {
            return self.end(reason);
        }
        self.let_post_go();
        self.polling.let_go();
        self.state = SessionState::Closing {
            until: now + CLOSE_PATIENCE,
        };
        self.outputs.push_back(Output::End(reason));
        self.flush();
    }

    /// Ends the session at once.
    pub fn end(&mut self, reason: DisconnectReason) {
        let was_open = match self.state {
            SessionState::Open => true,
            SessionState::Closing { .. } | SessionState::Leaving { .. } => false,
            SessionState::Ended => return,
        };
        self.drop_candidate();
        self.let_post_go();
        self.answer_parked("1");
        self.state = SessionState::Ended;
        self.queue.clear();
        if self.carrier == Carrier::WebSocket {
            self.outputs.push_back(Output::CloseCarrier);
        }
        if was_open {
            self.outputs.push_back(Output::End(reason));
        }
    }

    fn send_control(&mut self, text: String) {
        self.queue.push_control(text);
        self.flush();
    }

    /// Hands on what waits, where it can leave.
    fn flush(&mut self) {
        match self.carrier {
            Carrier::WebSocket if self.is_blocked => {}
            Carrier::WebSocket => {
                while let Some(queued) = self.queue.pop() {
                    self.outputs.push_back(Output::Write(queued));
                }
                if matches!(self.state, SessionState::Closing { .. }) {
                    self.end(DisconnectReason::ForcedServerClose);
                }
            }
            Carrier::Polling if self.polling.may_answer() => {
                if let Some(payload) = self.take_payload() {
                    self.polling.take_parked();
                    let answer = PollAnswer::Payload(payload);
                    self.outputs.push_back(Output::Answer(answer));
                }
            }
            Carrier::Polling => {}
        }
    }

    /// What there is for a GET. The Close of the server goes alone: a client that finds it after a message leaves
    /// before it has looked at that.
    fn take_payload(&mut self) -> Option<Vec<u8>> {
        if !self.queue.is_empty() {
            return Some(self.queue.take_payload(self.config.max_payload));
        }
        let is_closing = matches!(self.state, SessionState::Closing { .. });
        is_closing.then(|| {
            self.state = SessionState::Ended;
            b"1".to_vec()
        })
    }

    fn answer_parked(&mut self, packet: &str) {
        if self.polling.take_parked() {
            let payload = PollAnswer::Payload(packet.as_bytes().to_vec());
            self.outputs.push_back(Output::Answer(payload));
        }
    }
}

#[cfg(test)]
mod tests;
