//! Socket.IO: packets of both layers are read or refused, and what is written is read as it was; a session of Engine.IO
//! loses nothing, repeats nothing and ends once, whatever happens to it in whatever order.

use std::collections::VecDeque;
use std::time::Duration;

use crate::socketio::DisconnectReason;
use crate::socketio::decoder::Decoder;
use crate::socketio::engine::protocol::config::EngineConfig;
use crate::socketio::engine::protocol::handshake::Carrier;
use crate::socketio::engine::protocol::output::{Output, PollAnswer, WebSocketInput};
use crate::socketio::engine::protocol::packet::{EnginePacket, append_binary, base64_len};
use crate::socketio::engine::protocol::payload::Packets;
use crate::socketio::engine::protocol::queue::{Carried, QueuedPacket};
use crate::socketio::engine::protocol::session::EngineSession;
use crate::socketio::packet::{Packet, encode};

/// Bytes of a payload: each of its packets, and binary data written and read again.
pub fn engine_packets(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    for packet in (Packets { rest: Some(text) }) {
        let Ok(EnginePacket::Binary(bytes)) = packet else {
            continue;
        };
        let mut written = Vec::new();
        append_binary(&mut written, &bytes);
        assert_eq!(written.len(), 1 + base64_len(bytes.len()));
        let again = EnginePacket::decode(std::str::from_utf8(&written).unwrap());
        assert_eq!(again, Ok(EnginePacket::Binary(bytes)));
    }
}

/// Messages of one client, a line each; one that begins with a zero byte is binary.
pub fn socketio_packets(data: &[u8]) {
    const MOST: usize = 10;
    const BYTES: usize = 1_000;
    let mut decoder = Decoder::new(MOST, BYTES);
    for message in data.split(|byte| *byte == b'\n') {
        let read = match (message, std::str::from_utf8(message)) {
            ([0, bytes @ ..], _) => decoder.binary(bytes.to_vec()),
            (_, Ok(text)) => decoder.text(text),
            (_, Err(_)) => return,
        };
        match read {
            Ok(None) => {}
            // Whoever sent it is disconnected.
            Err(_) => return,
            Ok(Some(mut packet)) => {
                let attachments = std::mem::take(&mut packet.attachments);
                assert_eq!(attachments.len(), packet.due);
                assert!(attachments.len() <= MOST);
                assert!(attachments.concat().len() <= BYTES);
                comes_back(&packet);
            }
        }
    }
}

fn comes_back(packet: &Packet) {
    let json = packet.data.as_ref().map(ToString::to_string);
    let Packet {
        kind,
        namespace,
        id,
        due,
        ..
    } = packet;
    let written = encode(*kind, namespace, *id, &json.unwrap_or_default(), *due);
    assert_eq!(Packet::decode(&written, *due).as_ref(), Ok(packet));
}

/// What happens to a session, a few bytes for each thing.
pub fn engine_session(data: &[u8]) {
    let mut choices = Choices(data);
    let mut session = Checked::new(&mut choices);
    while !choices.0.is_empty() {
        session.step(&mut choices);
    }
    session.leave_alone();
}

const MS: Duration = Duration::from_millis(1);

const CONFIG: EngineConfig = EngineConfig::SMALL;

struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    fn below(&mut self, bound: usize) -> usize {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        usize::from(*first) % bound
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// A packet: a message has its number.
#[derive(Clone, Debug)]
struct Numbered(String);

impl Carried for Numbered {
    fn control(text: String) -> Self {
        Numbered(text)
    }

    fn payload_len(&self) -> usize {
        self.0.len()
    }

    fn append(&self, payload: &mut Vec<u8>) {
        payload.extend(self.0.bytes());
    }
}

struct Checked {
    session: EngineSession<Numbered>,
    now: Duration,
    parked: bool,
    /// The lengths of the messages that the application has not taken.
    untaken: VecDeque<usize>,
    /// A POST waits for its answer.
    posting: bool,
    /// The WebSocket takes no more.
    blocked: bool,
    refused: Vec<QueuedPacket<Numbered>>,
    candidate: bool,
    websocket: bool,
    /// How many were taken to be sent, and how many have arrived.
    sent: u32,
    arrived: u32,
    ended: bool,
}

impl Checked {
    fn new(choices: &mut Choices<'_>) -> Checked {
        let websocket = choices.below(3) == 0;
        let carrier = match websocket {
            true => Carrier::WebSocket,
            false => Carrier::Polling,
        };
        let mut checked = Checked {
            session: EngineSession::new("SID", carrier, CONFIG, Duration::ZERO),
            now: Duration::ZERO,
            parked: false,
            untaken: VecDeque::new(),
            posting: false,
            blocked: false,
            refused: Vec::new(),
            candidate: false,
            websocket,
            sent: 0,
            arrived: 0,
            ended: false,
        };
        if !websocket {
            assert!(checked.session.get(Duration::ZERO).is_some());
        }
        checked.see_outputs();
        checked
    }

    fn arrive(&mut self, payload: &[u8]) {
        let payload = std::str::from_utf8(payload).unwrap();
        for packet in payload.split('\x1e') {
            if let Some(number) = packet.strip_prefix('4') {
                assert_eq!(number.parse(), Ok(self.arrived), "in order, none lost");
                self.arrived += 1;
            }
        }
    }

    fn answered(&mut self, answer: &PollAnswer) {
        if let PollAnswer::Payload(payload) = answer {
            assert!(!payload.is_empty());
            assert!(payload.len() <= CONFIG.max_payload);
            self.arrive(payload);
        }
    }

    fn write(&mut self, queued: QueuedPacket<Numbered>) {
        if self.blocked {
            self.refused.push(queued);
        } else {
            self.arrive(queued.packet.0.as_bytes());
        }
    }

    fn see_outputs(&mut self) {
        self.see_all();
        let refused = std::mem::take(&mut self.refused);
        if !refused.is_empty() {
            self.session.refused(refused);
            self.see_all();
        }
    }

    fn see_all(&mut self) {
        while let Some(output) = self.session.next_output() {
            match output {
                Output::Answer(answer) => {
                    assert!(std::mem::take(&mut self.parked), "an answer to nobody");
                    self.answered(&answer);
                }
                Output::AnswerPost(_) => {
                    assert!(std::mem::take(&mut self.posting), "an answer to nobody");
                }
                Output::Write(queued) => {
                    assert!(self.websocket);
                    self.write(queued);
                }
                Output::CloseCarrier => {
                    self.refused.clear();
                    assert!(std::mem::take(&mut self.websocket));
                }
                Output::Probe(_) => assert!(self.candidate),
                Output::Promote => {
                    assert!(std::mem::take(&mut self.candidate));
                    self.websocket = true;
                }
                Output::CloseCandidate => assert!(std::mem::take(&mut self.candidate)),
                Output::Text(text) => self.hear(text.len()),
                Output::Binary(bytes) => self.hear(bytes.len()),
                Output::End(_) => assert!(!std::mem::replace(&mut self.ended, true)),
            }
        }
        if self.session.is_over() {
            assert!(self.ended);
            assert!(!self.parked && !self.posting && !self.candidate && !self.websocket);
        }
    }

    fn hear(&mut self, len: usize) {
        assert!(!self.ended);
        self.untaken.push_back(len);
    }

    fn step(&mut self, choices: &mut Choices<'_>) {
        let now = self.now;
        match choices.below(18) {
            0 | 1 => self.get(),
            2 => {
                let bodies = ["3\x1e4a", "4b\x1ebAQID", "3", "6", "3\x1e4c"];
                let body = choices.pick(&bodies).as_bytes();
                self.posting |= self.session.post(body, false, now).is_none();
            }
            3 => {
                let taken = self.session.probe(now);
                assert!(!(taken && self.candidate), "two are probed");
                self.candidate |= taken;
            }
            4 if self.candidate => {
                let packet = choices.pick(&["2probe", "5", "5", "4a", "x", ""]);
                let message = WebSocketInput::Text(packet.to_owned());
                self.session.hear_candidate(&message, now);
            }
            5 if self.candidate => {
                self.candidate = false;
                self.session.candidate_ended();
            }
            6 if self.websocket => {
                let packet = choices.pick(&["4a", "3", "3", "bAQ==", "6"]);
                self.session
                    .hear_carrier(WebSocketInput::Text(packet.to_owned()), now);
            }
            7 => self.rarely(choices.below(32)),
            13 => self.session.expect_candidate(now),
            16 if self.websocket => self.blocked = true,
            17 if self.websocket => {
                self.blocked = false;
                self.session.drained();
            }
            14 | 15 if !self.untaken.is_empty() => {
                if let Some(len) = self.untaken.pop_front() {
                    self.session.note_taken(len, now);
                }
            }
            8 => {
                let pause = choices.pick(&[MS, 30 * MS, 60 * MS, 3_000 * MS, 21_000 * MS]);
                self.now += pause;
                self.session.see_to_time(self.now);
                self.see_outputs();
                let deadline = self.session.deadline();
                assert!(deadline.is_none_or(|at| at > self.now), "in the past");
            }
            _ => {
                let open = !self.ended;
                let dropped = self.session.send(&[Numbered(format!("4{}", self.sent))]);
                self.sent += u32::from(open && dropped == 0);
            }
        }
        self.see_outputs();
        assert!(self.arrived <= self.sent);
    }

    fn get(&mut self) {
        let answer = self.session.get(self.now);
        assert!(!(self.parked && answer.is_none()), "two are parked");
        match answer {
            None => self.parked = true,
            Some(answer) => {
                self.see_outputs();
                self.answered(&answer);
            }
        }
    }

    /// What ends it.
    fn rarely(&mut self, choice: usize) {
        let now = self.now;
        match choice {
            0 if self.parked => self.session.hung_up(),
            1 if self.websocket => {
                self.session.carrier_ended(DisconnectReason::TransportClose);
            }
            2 => self.session.close(DisconnectReason::ForcedServerClose, now),
            3 => _ = self.session.post(b"x", false, now),
            4 => _ = self.session.post(b"4a\x1e1", false, now),
            5 => _ = self.session.post(b"2", false, now),
            6 => _ = self.session.post(&[b'4'; 101], false, now),
            7 if self.websocket => {
                self.session
                    .hear_carrier(WebSocketInput::Binary(vec![0; 101]), now);
            }
            _ => {}
        }
    }

    /// However it was left: without a client it ends by itself, once the application has taken what it has. A POST that
    /// waits for that has no end of its own.
    fn leave_alone(mut self) {
        while let Some(len) = self.untaken.pop_front() {
            self.session.note_taken(len, self.now);
            self.see_outputs();
        }
        while let Some(deadline) = self.session.deadline() {
            assert!(self.now < Duration::from_secs(100_000));
            self.now = self.now.max(deadline);
            self.session.see_to_time(self.now);
            self.see_outputs();
        }
        assert!(self.session.is_over());
    }
}
