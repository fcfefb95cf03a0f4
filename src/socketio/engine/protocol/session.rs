//! A session of Engine.IO as a machine: requests, messages of WebSockets, what the application sends and the time go
//! in; answers, messages and events come out, in order.
//!
//! What is behind each rule: a bug report of another server's, named where it is tested.

use std::collections::VecDeque;

use core::time::Duration;

use super::handshake::{Carrier, EngineError};
use super::heartbeat::{Heartbeat, HeartbeatDue};
use super::packet::{EnginePacket, MalformedPacket};
use super::payload;
use super::queue::{Carried, PacketQueue, QueueFull, QueuedPacket};

/// How long a GET that comes while an upgrade is under way waits for what is sent, or for the end of the upgrade: the
/// packets of that may be overtaken by a GET on another TCP connection.
const UPGRADE_PATIENCE: Duration = Duration::from_millis(200);

/// How long a GET waits for the application to take what the client sent before, so that the answers to one POST come
/// with one GET. One that is parked already is answered with the first.
const ANSWER_PATIENCE: Duration = Duration::from_millis(100);

/// How long the GET of a client that closes is waited for: its Close may have overtaken it on another TCP connection.
const LEAVE_PATIENCE: Duration = Duration::from_secs(1);

/// How long the Close of the server waits for the next GET, as with the reference server.
const CLOSE_PATIENCE: Duration = Duration::from_secs(30);

/// The times and bounds of a session.
#[derive(Clone, Copy, Debug)]
pub struct EngineConfig {
    pub ping_interval: Duration,
    pub ping_timeout: Duration,
    pub upgrade_timeout: Duration,
    pub max_payload: usize,
    pub max_queued_packets: usize,
    pub max_queued_bytes: usize,
}

/// What a request is answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PollAnswer {
    /// Packets, to a GET.
    Payload(Vec<u8>),
    /// The body of a POST was taken.
    Taken,
    Error(EngineError),
    /// The request broke the protocol, and has ended the session: 400 without a body.
    Bad,
    /// The body is longer than `max_payload`: 413, and the session has ended.
    TooLarge,
}

/// Why a session ended, in the words of Socket.IO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    TransportClose,
    TransportError,
    PingTimeout,
    ParseError,
    ForcedClose,
    ServerShuttingDown,
}

/// What a session has the one that drives it do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output<M> {
    /// PollAnswer the GET that is parked.
    Answer(PollAnswer),
    /// Send this over the WebSocket that carries the session.
    Write(QueuedPacket<M>),
    /// Close the WebSocket that carries the session.
    CloseCarrier,
    /// Send this over the WebSocket that is probed.
    Probe(&'static str),
    /// The WebSocket that was probed carries the session from now on.
    Promote,
    /// Close the WebSocket that is probed.
    CloseCandidate,
    /// The client sent a text message.
    Text(String),
    /// The client sent a binary message.
    Binary(Vec<u8>),
    /// The session has ended: nothing comes behind it.
    End(EndReason),
}

/// What came over a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebSocketInput {
    Text(String),
    Binary(Vec<u8>),
}

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
struct ParkedGet {
    /// It came behind messages that the application has not taken, and waits for that.
    waits_for_application: bool,
    /// It came behind a WebSocket that is to carry the session, and may have overtaken the packets of that.
    is_hasty: bool,
    /// When it is answered whether there is something or not.
    noop_at: Option<Duration>,
}

#[derive(Debug)]
struct UpgradeState {
    probed: bool,
    until: Duration,
}

#[derive(Debug)]
pub struct EngineSession<M> {
    config: EngineConfig,
    state: SessionState,
    carrier: Carrier,
    /// The WebSocket that carries the session takes no more for now.
    is_blocked: bool,
    parked: Option<ParkedGet>,
    upgrade: Option<UpgradeState>,
    /// Until when a WebSocket that was let in is expected.
    expected: Option<Duration>,
    /// Messages of the client that the application has not taken.
    untaken: usize,
    /// Until when what is sent waits for the application to take those.
    held_until: Option<Duration>,
    heartbeat: Heartbeat,
    queue: PacketQueue<M>,
    outputs: VecDeque<Output<M>>,
}

impl<M: Carried> EngineSession<M> {
    /// A new session; what it says first is the handshake.
    pub fn new(sid: &str, carrier: Carrier, config: EngineConfig, now: Duration) -> Self {
        let heartbeat = Heartbeat::new(config.ping_interval, config.ping_timeout, now);
        let mut session = EngineSession {
            queue: PacketQueue::new(config.max_queued_packets, config.max_queued_bytes),
            config,
            state: SessionState::Open,
            carrier,
            is_blocked: false,
            parked: None,
            upgrade: None,
            expected: None,
            untaken: 0,
            held_until: None,
            heartbeat,
            outputs: VecDeque::new(),
        };
        session.send_control(open_packet(sid, carrier, &config));
        session
    }

    /// The next thing to be done. To be asked for behind every call, until there is none.
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
            SessionState::Open => self.heartbeat.deadline(),
            SessionState::Closing { until } | SessionState::Leaving { until } => until,
            SessionState::Ended => return None,
        };
        let upgrade = self.upgrade.as_ref().map(|upgrade| upgrade.until);
        let noop = self.parked.as_ref().and_then(|parked| parked.noop_at);
        let held = self.held_until.filter(|_| self.parked.is_some());
        [upgrade, noop, held]
            .into_iter()
            .flatten()
            .chain([heartbeat])
            .min()
    }

    /// Whether the client would be found gone now. A pong may wait for the application meanwhile.
    pub fn is_overdue(&self, now: Duration) -> bool {
        self.state == SessionState::Open && self.heartbeat.is_overdue(now)
    }

    /// Does what is due. Every request does so first, so that deadlines hold wherever time is looked at.
    pub fn see_to_time(&mut self, now: Duration) {
        match self.state {
            SessionState::Closing { until } | SessionState::Leaving { until } if until <= now => {
                self.end(EndReason::ForcedClose);
            }
            _ => {}
        }
        if self.upgrade.as_ref().is_some_and(|it| it.until <= now) {
            self.drop_candidate();
        }
        if self.held_until.is_some_and(|until| until <= now) {
            self.let_go();
        }
        let noop = self.parked.as_ref().and_then(|parked| parked.noop_at);
        if noop.is_some_and(|at| at <= now) {
            self.answer_parked("6");
        }
        self.see_to_heartbeat(now);
    }

    /// A ping that the client did not fetch in time has been missed when this is asked.
    fn see_to_heartbeat(&mut self, now: Duration) {
        while self.state == SessionState::Open {
            let leaves_now = self.carrier == Carrier::WebSocket || self.parked.is_some();
            match self.heartbeat.due(now, leaves_now) {
                HeartbeatDue::Nothing => return,
                HeartbeatDue::Ping => self.send_control("2".to_owned()),
                HeartbeatDue::Timeout => self.end(EndReason::PingTimeout),
            }
        }
    }

    /// The thread that reads stood still: a pong has its whole time again.
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
            self.end(EndReason::TransportClose);
            return Some(PollAnswer::Payload(b"6".to_vec()));
        }
        if self.parked.is_some() {
            self.end(EndReason::TransportError);
            return Some(PollAnswer::Bad);
        }
        if self.held_until.is_none() {
            if let Some(payload) = self.take_payload() {
                return Some(PollAnswer::Payload(payload));
            }
        }
        let is_probed = self.upgrade.as_ref().is_some_and(|upgrade| upgrade.probed);
        let is_expected = self.expected.is_some_and(|until| now < until);
        self.parked = Some(ParkedGet {
            waits_for_application: self.held_until.is_some(),
            is_hasty: self.upgrade.is_some() || is_expected,
            noop_at: is_probed.then(|| now + UPGRADE_PATIENCE),
        });
        None
    }

    /// The client of the parked GET hung up.
    pub fn hung_up(&mut self) {
        if self.parked.take().is_some() {
            self.end(EndReason::TransportError);
        }
    }

    /// A POST of polling with its whole body; `octets`: it says that it is binary, which this protocol has no use for.
    pub fn post(&mut self, body: &[u8], octets: bool, now: Duration) -> PollAnswer {
        self.see_to_time(now);
        if matches!(self.state, SessionState::Leaving { .. }) {
            return PollAnswer::Error(EngineError::UnknownSession);
        }
        if let Some(refused) = self.refuse_polling() {
            return refused;
        }
        if octets {
            self.end(EndReason::TransportError);
            return PollAnswer::Bad;
        }
        if body.len() > self.config.max_payload {
            self.end(EndReason::TransportError);
            return PollAnswer::TooLarge;
        }
        let packets = core::str::from_utf8(body).map(payload::packets);
        match packets.map_err(|_| MalformedPacket) {
            Ok(mut packets) => {
                let taken = packets.try_for_each(|packet| {
                    self.take(packet?, now);
                    Ok(())
                });
                self.answer_post(taken)
            }
            Err(malformed) => self.answer_post(Err(malformed)),
        }
    }

    fn answer_post(&mut self, taken: Result<(), MalformedPacket>) -> PollAnswer {
        match taken {
            Ok(()) => PollAnswer::Taken,
            Err(MalformedPacket) => {
                self.end(EndReason::ParseError);
                PollAnswer::Bad
            }
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
        self.expected = Some(now + self.config.upgrade_timeout);
    }

    /// A WebSocket names this session; false if it is to be closed again.
    pub fn probe(&mut self, now: Duration) -> bool {
        self.see_to_time(now);
        self.expected = None;
        let may = self.state == SessionState::Open
            && self.carrier == Carrier::Polling
            && self.upgrade.is_none();
        if may {
            self.upgrade = Some(UpgradeState {
                probed: false,
                until: now + self.config.upgrade_timeout,
            });
        }
        may
    }

    /// A message over the WebSocket that is probed.
    pub fn hear_candidate(&mut self, message: &WebSocketInput, now: Duration) {
        let Some(upgrade) = &mut self.upgrade else {
            return;
        };
        let packet = match message {
            WebSocketInput::Text(text) => EnginePacket::decode(text),
            WebSocketInput::Binary(_) => Err(MalformedPacket),
        };
        match packet {
            Ok(EnginePacket::Ping("probe")) => {
                upgrade.probed = true;
                self.outputs.push_back(Output::Probe("3probe"));
                match &mut self.parked {
                    Some(hasty) if hasty.is_hasty => hasty.noop_at = Some(now + UPGRADE_PATIENCE),
                    _ => self.answer_parked("6"),
                }
            }
            Ok(EnginePacket::Upgrade) => self.promote(),
            _ => self.drop_candidate(),
        }
    }

    /// The WebSocket that is probed has ended: polling goes on.
    pub fn candidate_ended(&mut self) {
        self.upgrade = None;
        if let Some(parked) = &mut self.parked {
            parked.noop_at = None;
        }
    }

    fn drop_candidate(&mut self) {
        if self.upgrade.is_some() {
            self.outputs.push_back(Output::CloseCandidate);
            self.candidate_ended();
        }
    }

    fn promote(&mut self) {
        self.upgrade = None;
        self.held_until = None;
        self.carrier = Carrier::WebSocket;
        self.outputs.push_back(Output::Promote);
        // It came behind the last GET of the client's, and has overtaken nothing but the upgrade.
        if self.parked.take().is_some() {
            let late = PollAnswer::Error(EngineError::BadRequest);
            self.outputs.push_back(Output::Answer(late));
        }
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
            return self.end(EndReason::TransportError);
        }
        match message {
            WebSocketInput::Binary(bytes) => {
                self.heartbeat.note_packet(now);
                self.hand_on(Output::Binary(bytes), now);
            }
            // The usual one, without a copy.
            WebSocketInput::Text(mut text) if text.starts_with('4') => {
                self.heartbeat.note_packet(now);
                text.remove(0);
                self.hand_on(Output::Text(text), now);
            }
            WebSocketInput::Text(text) => match EnginePacket::decode(&text) {
                Ok(packet) => self.take(packet, now),
                Err(MalformedPacket) => self.end(EndReason::ParseError),
            },
        }
    }

    /// The WebSocket that carries the session has ended.
    pub fn carrier_ended(&mut self, reason: EndReason) {
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
            EnginePacket::Ping(_) => self.end(EndReason::TransportError),
            EnginePacket::Pong
            | EnginePacket::Open
            | EnginePacket::Upgrade
            | EnginePacket::Noop => {}
        }
    }

    /// A message of the client's goes to the application.
    fn hand_on(&mut self, message: Output<M>, now: Duration) {
        self.outputs.push_back(message);
        self.untaken += 1;
        if self.carrier == Carrier::Polling {
            self.held_until.get_or_insert(now + ANSWER_PATIENCE);
        }
    }

    /// The application has taken one of the client's messages, and sent what it has to say about it.
    pub fn note_taken(&mut self) {
        self.untaken = self.untaken.saturating_sub(1);
        if self.untaken == 0 {
            self.let_go();
        }
    }

    /// What was sent waits no longer for the application.
    fn let_go(&mut self) {
        if self.held_until.take().is_some() {
            self.flush();
        }
    }

    /// The client closes.
    fn leave(&mut self, now: Duration) {
        if self.carrier == Carrier::WebSocket || self.parked.is_some() {
            self.answer_parked("6");
            return self.end(EndReason::TransportClose);
        }
        self.drop_candidate();
        self.queue.clear();
        self.state = SessionState::Leaving {
            until: now + LEAVE_PATIENCE,
        };
        self.outputs
            .push_back(Output::End(EndReason::TransportClose));
    }

    /// Sends messages that belong together, all or none.
    pub fn send(&mut self, group: &[M]) -> Result<(), QueueFull> {
        if self.state != SessionState::Open {
            return Ok(());
        }
        if self.carrier == Carrier::WebSocket && !self.is_blocked {
            let written = QueuedPacket::group(group);
            self.outputs.extend(written.map(Output::Write));
            return Ok(());
        }
        self.queue.push(group)?;
        self.flush();
        Ok(())
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

    /// Makes room by dropping what waits longest; true if something did.
    pub fn drop_oldest(&mut self) -> bool {
        self.queue.drop_oldest()
    }

    /// Whether what is sent has a client.
    pub fn is_open(&self) -> bool {
        self.state == SessionState::Open
    }

    /// Whether a message that is sent now leaves now.
    pub fn is_writable(&self) -> bool {
        let has_room = match self.carrier {
            Carrier::WebSocket => !self.is_blocked,
            Carrier::Polling => self.parked.is_some(),
        };
        self.state == SessionState::Open && has_room
    }

    /// Ends the session for the client: what waits goes first.
    pub fn close(&mut self, reason: EndReason, now: Duration) {
        if self.state != SessionState::Open {
            return;
        }
        self.drop_candidate();
        if self.carrier == Carrier::WebSocket && self.queue.is_empty() {
            return self.end(reason);
        }
        self.held_until = None;
        self.state = SessionState::Closing {
            until: now + CLOSE_PATIENCE,
        };
        self.outputs.push_back(Output::End(reason));
        self.flush();
    }

    /// Ends the session at once.
    pub fn end(&mut self, reason: EndReason) {
        let was_open = match self.state {
            SessionState::Open => true,
            SessionState::Closing { .. } | SessionState::Leaving { .. } => false,
            SessionState::Ended => return,
        };
        self.drop_candidate();
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
                    self.end(EndReason::ForcedClose);
                }
            }
            Carrier::Polling if self.may_answer_parked() => {
                if let Some(payload) = self.take_payload() {
                    self.parked = None;
                    let answer = PollAnswer::Payload(payload);
                    self.outputs.push_back(Output::Answer(answer));
                }
            }
            Carrier::Polling => {}
        }
    }

    /// A GET is parked, and waits for nothing but messages.
    fn may_answer_parked(&self) -> bool {
        let is_held = |it: &ParkedGet| it.waits_for_application && self.held_until.is_some();
        self.parked.as_ref().is_some_and(|it| !is_held(it))
    }

    /// What there is for a GET. The Close of the server goes alone: a client that finds it behind a message leaves
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
        if self.parked.take().is_some() {
            let payload = PollAnswer::Payload(packet.as_bytes().to_vec());
            self.outputs.push_back(Output::Answer(payload));
        }
    }
}

fn open_packet(sid: &str, carrier: Carrier, config: &EngineConfig) -> String {
    let upgrades = match carrier {
        Carrier::Polling => r#"["websocket"]"#,
        Carrier::WebSocket => "[]",
    };
    let (interval, timeout) = (config.ping_interval, config.ping_timeout);
    format!(
        r#"0{{"sid":"{sid}","upgrades":{upgrades},"pingInterval":{},"pingTimeout":{},"maxPayload":{}}}"#,
        interval.as_millis(),
        timeout.as_millis(),
        config.max_payload,
    )
}

#[cfg(test)]
mod tests;
