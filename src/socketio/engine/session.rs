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
use super::queue::{Carried, OutgoingPacket, PacketQueue, QueueFull};

/// How long a GET that comes while an upgrade is under way waits for what is sent, or for the end of the upgrade: its
/// packet may be overtaken by a GET on another TCP connection.
const UPGRADE_PATIENCE: Duration = Duration::from_millis(50);

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
}

/// What a session has the one that drives it do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output<M> {
    /// PollAnswer the GET that is parked.
    Answer(PollAnswer),
    /// Send this over the WebSocket that carries the session.
    Write(OutgoingPacket<M>),
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
    Ended,
}

#[derive(Debug)]
struct ParkedGet {
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
    parked: Option<ParkedGet>,
    upgrade: Option<UpgradeState>,
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
            parked: None,
            upgrade: None,
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
            SessionState::Closing { until } => until,
            SessionState::Ended => return None,
        };
        let upgrade = self.upgrade.as_ref().map(|upgrade| upgrade.until);
        let noop = self.parked.as_ref().and_then(|parked| parked.noop_at);
        [upgrade, noop]
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
        if let SessionState::Closing { until } = self.state {
            if until <= now {
                self.end(EndReason::ForcedClose);
            }
        }
        if self.upgrade.as_ref().is_some_and(|it| it.until <= now) {
            self.drop_candidate();
        }
        let noop = self.parked.as_ref().and_then(|parked| parked.noop_at);
        if noop.is_some_and(|at| at <= now) {
            self.answer_parked("6");
        }
        if self.state == SessionState::Open {
            match self.heartbeat.due(now) {
                HeartbeatDue::Nothing => {}
                HeartbeatDue::Ping => self.send_control("2".to_owned()),
                HeartbeatDue::Timeout => self.end(EndReason::PingTimeout),
            }
        }
    }

    /// The one who reads stood still: a pong has its whole time again.
    pub fn one_more_round(&mut self, now: Duration) {
        self.heartbeat.one_more_round(now);
    }

    /// A GET of polling; without an answer it is parked, and one comes as [`Output::Answer`].
    pub fn get(&mut self, now: Duration) -> Option<PollAnswer> {
        self.see_to_time(now);
        if let Some(refused) = self.refuse_polling() {
            return Some(refused);
        }
        if self.parked.is_some() {
            self.end(EndReason::TransportError);
            return Some(PollAnswer::Bad);
        }
        if let Some(payload) = self.take_payload() {
            return Some(PollAnswer::Payload(payload));
        }
        let is_probed = self.upgrade.as_ref().is_some_and(|upgrade| upgrade.probed);
        self.parked = Some(ParkedGet {
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

    /// A WebSocket names this session; false if it is to be closed again.
    pub fn probe(&mut self, now: Duration) -> bool {
        self.see_to_time(now);
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
    pub fn hear_candidate(&mut self, message: &WebSocketInput) {
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
                self.answer_parked("6");
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
                self.outputs.push_back(Output::Binary(bytes));
            }
            // The usual one, without a copy.
            WebSocketInput::Text(mut text) if text.starts_with('4') => {
                self.heartbeat.note_packet(now);
                text.remove(0);
                self.outputs.push_back(Output::Text(text));
            }
            WebSocketInput::Text(text) => match EnginePacket::decode(&text) {
                Ok(packet) => self.take(packet, now),
                Err(MalformedPacket) => self.end(EndReason::ParseError),
            },
        }
    }

    /// The WebSocket that carries the session has ended.
    pub fn carrier_ended(&mut self) {
        if self.carrier == Carrier::WebSocket {
            self.end(EndReason::TransportClose);
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
            EnginePacket::Text(text) => self.outputs.push_back(Output::Text(text.to_owned())),
            EnginePacket::Binary(bytes) => self.outputs.push_back(Output::Binary(bytes)),
            EnginePacket::Close => {
                self.answer_parked("6");
                self.end(EndReason::TransportClose);
            }
            // Servers ping, clients answer.
            EnginePacket::Ping(_) => self.end(EndReason::TransportError),
            EnginePacket::Pong
            | EnginePacket::Open
            | EnginePacket::Upgrade
            | EnginePacket::Noop => {}
        }
    }

    /// Sends messages that belong together, all or none.
    pub fn send(&mut self, group: &[M]) -> Result<(), QueueFull> {
        if self.state != SessionState::Open {
            return Ok(());
        }
        if self.carrier == Carrier::WebSocket {
            let written = group.iter().cloned().map(OutgoingPacket::Message);
            self.outputs.extend(written.map(Output::Write));
            return Ok(());
        }
        self.queue.push(group)?;
        self.flush();
        Ok(())
    }

    /// Makes room by dropping what waits longest; true if something did.
    pub fn drop_oldest(&mut self) -> bool {
        self.queue.drop_oldest()
    }

    /// Whether a message that is sent now leaves now.
    pub fn is_writable(&self) -> bool {
        self.state == SessionState::Open
            && (self.carrier == Carrier::WebSocket || self.parked.is_some())
    }

    /// Ends the session for the client: what waits goes first.
    pub fn close(&mut self, reason: EndReason, now: Duration) {
        if self.state != SessionState::Open {
            return;
        }
        self.drop_candidate();
        if self.carrier == Carrier::WebSocket {
            return self.end(reason);
        }
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
            SessionState::Closing { .. } => false,
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
            Carrier::WebSocket => {
                while let Some(packet) = self.queue.pop() {
                    self.outputs.push_back(Output::Write(packet));
                }
            }
            Carrier::Polling if self.parked.is_some() => {
                if let Some(payload) = self.take_payload() {
                    self.parked = None;
                    let answer = PollAnswer::Payload(payload);
                    self.outputs.push_back(Output::Answer(answer));
                }
            }
            Carrier::Polling => {}
        }
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
