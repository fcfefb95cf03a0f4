//! The rules of the protocol, each by itself, on a clock of the test's.

mod heartbeat;
mod polling;
mod upgrade;
mod websocket;

use super::*;

const MS: Duration = Duration::from_millis(1);
const CONFIG: EngineConfig = EngineConfig::SMALL;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Sent {
    Control(String),
    Text(String),
    Binary(Vec<u8>),
}

impl Carried for Sent {
    fn control(text: String) -> Self {
        Sent::Control(text)
    }

    fn payload_len(&self) -> usize {
        match self {
            Sent::Control(text) => text.len(),
            Sent::Text(text) => 1 + text.len(),
            Sent::Binary(bytes) => 1 + super::super::packet::base64_len(bytes.len()),
        }
    }

    fn append(&self, payload: &mut Vec<u8>) {
        match self {
            Sent::Control(text) => payload.extend(text.as_bytes()),
            Sent::Text(text) => payload.extend([b"4", text.as_bytes()].concat()),
            Sent::Binary(bytes) => super::super::packet::append_binary(payload, bytes),
        }
    }
}

fn text(text: &str) -> Sent {
    Sent::Text(text.to_owned())
}

fn said(text: &str) -> WebSocketInput {
    WebSocketInput::Text(text.to_owned())
}

/// A session and a clock, with what it puts out as short texts.
struct Rig {
    session: EngineSession<Sent>,
    now: Duration,
}

impl Rig {
    fn new(carrier: Carrier) -> Rig {
        Rig::with(carrier, CONFIG)
    }

    fn with(carrier: Carrier, config: EngineConfig) -> Rig {
        Rig {
            session: EngineSession::new("SID", carrier, config, Duration::ZERO),
            now: Duration::ZERO,
        }
    }

    /// Polls, and its handshake has been read.
    fn polling() -> Rig {
        let mut rig = Rig::new(Carrier::Polling);
        assert!(rig.get().starts_with("0{"));
        rig
    }

    fn over_websocket() -> Rig {
        let mut rig = Rig::new(Carrier::WebSocket);
        let outputs = rig.outputs();
        assert!(outputs[0].starts_with("write 0{"), "{outputs:?}");
        rig
    }

    /// Polls, and has a WebSocket that was probed.
    fn probed() -> Rig {
        let mut rig = Rig::polling();
        assert!(rig.session.probe(rig.now));
        rig.session.hear_candidate(&said("2probe"), rig.now);
        assert_eq!(rig.outputs(), ["probe 3probe"]);
        rig
    }

    fn get(&mut self) -> String {
        self.session
            .get(self.now)
            .map_or("parked".to_owned(), |answer| show(&answer))
    }

    fn post(&mut self, body: &str) -> String {
        let answer = self.session.post(body.as_bytes(), false, self.now);
        answer.map_or("held".to_owned(), |answer| show(&answer))
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.session.see_to_time(self.now);
    }

    fn outputs(&mut self) -> Vec<String> {
        let outputs: Vec<_> = std::iter::from_fn(|| self.session.next_output()).collect();
        for output in &outputs {
            match output {
                Output::Text(text) => self.session.note_taken(text.len(), self.now),
                Output::Binary(bytes) => self.session.note_taken(bytes.len(), self.now),
                _ => {}
            }
        }
        outputs
            .into_iter()
            .map(|output| match output {
                Output::Answer(answer) => format!("answer {}", show(&answer)),
                Output::AnswerPost(answer) => format!("answer the post {}", show(&answer)),
                Output::Write(queued) => {
                    let mut packet = Vec::new();
                    queued.packet.append(&mut packet);
                    format!("write {}", String::from_utf8(packet).unwrap())
                }
                Output::CloseCarrier => "close carrier".to_owned(),
                Output::Probe(text) => format!("probe {text}"),
                Output::Promote => "promote".to_owned(),
                Output::CloseCandidate => "close candidate".to_owned(),
                Output::Text(text) => format!("text {text}"),
                Output::Binary(bytes) => format!("binary {bytes:?}"),
                Output::End(reason) => format!("end {reason:?}"),
            })
            .collect()
    }
}

fn show(answer: &PollAnswer) -> String {
    match answer {
        PollAnswer::Payload(bytes) => String::from_utf8(bytes.clone()).unwrap(),
        PollAnswer::Taken => "ok".to_owned(),
        PollAnswer::Error(error) => format!("error {}", *error as u8),
        PollAnswer::Bad => "400".to_owned(),
        PollAnswer::TooLarge => "413".to_owned(),
    }
}

#[test]
fn the_handshake_has_its_five_keys() {
    assert_eq!(
        Rig::new(Carrier::Polling).get(),
        r#"0{"sid":"SID","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":100}"#
    );
    assert_eq!(
        Rig::new(Carrier::WebSocket).outputs(),
        [
            r#"write 0{"sid":"SID","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":100}"#
        ]
    );
}

#[test]
fn packets_without_a_meaning_are_ignored() {
    let mut rig = Rig::over_websocket();
    for packet in ["0", "5", "6", "3"] {
        rig.session.hear_carrier(said(packet), rig.now);
    }
    assert_eq!(rig.outputs(), [""; 0]);
}

/// As sessions of other servers showed, whose bytes nothing bounded.
#[test]
fn what_waits_for_a_slow_client_is_bounded() {
    let mut rig = Rig::polling();
    for _ in 0..5 {
        assert_eq!(rig.session.send(&[text("a")]), 0);
    }
    assert_eq!(rig.session.send(&[text("b")]), 1);
    assert_eq!(rig.get(), ["4a"; 5].join("\x1e"));
    assert_eq!(rig.session.send(&[text(&"x".repeat(45))]), 0);
    assert_eq!(rig.session.send(&[text("12345")]), 1);
}

#[test]
fn what_is_volatile_finds_nobody_who_waits() {
    let mut rig = Rig::polling();
    let message = [text("a")];
    assert!(!rig.session.is_writable(&message));
    rig.get();
    assert!(rig.session.is_writable(&message));
    rig.session.send(&message);
    assert!(!rig.session.is_writable(&message));
    assert!(Rig::over_websocket().session.is_writable(&message));
}

#[test]
fn what_is_volatile_has_no_room_where_as_much_waits_as_may() {
    let mut rig = Rig::polling();
    assert_eq!(rig.post("4hello"), "ok");
    assert_eq!(rig.get(), "parked", "until the application has taken that");
    assert!(rig.session.is_writable(&[text("a")]));
    for _ in 0..5 {
        assert_eq!(rig.session.send(&[text("a")]), 0);
    }
    assert!(!rig.session.is_writable(&[text("a")]));
}
