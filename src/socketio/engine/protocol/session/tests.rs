//! The rules of the protocol, each by itself, on a clock of the test's.

use super::*;
use crate::socketio::engine::protocol::queue::OutgoingPacket;

const MS: Duration = Duration::from_millis(1);
const CONFIG: EngineConfig = EngineConfig {
    ping_interval: Duration::from_secs(25),
    ping_timeout: Duration::from_secs(20),
    upgrade_timeout: Duration::from_secs(10),
    max_payload: 100,
    max_queued_packets: 5,
    max_queued_bytes: 50,
};

#[derive(Clone, Debug, PartialEq, Eq)]
enum Sent {
    Text(String),
    Binary(Vec<u8>),
}

impl Carried for Sent {
    fn payload_len(&self) -> usize {
        match self {
            Sent::Text(text) => 1 + text.len(),
            Sent::Binary(bytes) => 1 + super::super::packet::base64_len(bytes.len()),
        }
    }

    fn append(&self, payload: &mut Vec<u8>) {
        match self {
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
        Rig {
            session: EngineSession::new("SID", carrier, CONFIG, Duration::ZERO),
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
        show(&self.session.post(body.as_bytes(), false, self.now))
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.session.see_to_time(self.now);
    }

    fn outputs(&mut self) -> Vec<String> {
        let outputs: Vec<_> = std::iter::from_fn(|| self.session.next_output()).collect();
        for output in &outputs {
            if matches!(output, Output::Text(_) | Output::Binary(_)) {
                self.session.note_taken();
            }
        }
        outputs
            .into_iter()
            .map(|output| match output {
                Output::Answer(answer) => format!("answer {}", show(&answer)),
                Output::Write(queued) => match queued.packet {
                    OutgoingPacket::Control(text) => format!("write {text}"),
                    OutgoingPacket::Message(message) => {
                        let mut packet = Vec::new();
                        message.append(&mut packet);
                        format!("write {}", String::from_utf8(packet).unwrap())
                    }
                },
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
fn a_get_is_held_until_there_is_something_and_one_that_finds_something_is_answered() {
    let mut rig = Rig::polling();
    assert_eq!(rig.get(), "parked");
    rig.session.send(&[text("a")]).unwrap();
    assert_eq!(rig.outputs(), ["answer 4a"]);
    rig.session
        .send(&[text("b"), Sent::Binary(vec![1, 2, 3])])
        .unwrap();
    rig.session.send(&[text("c")]).unwrap();
    assert_eq!(rig.get(), "4b\x1ebAQID\x1e4c");
    assert_eq!(rig.get(), "parked");
    assert_eq!(rig.outputs(), [""; 0]);
}

#[test]
fn a_payload_stops_at_max_payload_and_one_packet_always_goes_out() {
    let mut rig = Rig::polling();
    let long = "x".repeat(120);
    rig.session.send(&[text(&long)]).unwrap();
    assert_eq!(rig.get(), format!("4{long}"));
    for _ in 0..3 {
        rig.session.send(&[text("yyyyyyyyyyyy")]).unwrap();
    }
    rig.session.config.max_payload = 30;
    assert_eq!(rig.get(), "4yyyyyyyyyyyy\x1e4yyyyyyyyyyyy");
    assert_eq!(rig.get(), "4yyyyyyyyyyyy");
}

#[test]
fn a_post_gives_its_messages_in_order() {
    let mut rig = Rig::polling();
    assert_eq!(rig.post("4hello\x1ebAQID\x1e4"), "ok");
    assert_eq!(rig.outputs(), ["text hello", "binary [1, 2, 3]", "text "]);
}

#[test]
fn a_second_get_is_refused_and_ends_the_session_and_the_first_hears_of_it() {
    let mut rig = Rig::polling();
    assert_eq!(rig.get(), "parked");
    assert_eq!(rig.get(), "400");
    assert_eq!(rig.outputs(), ["answer 1", "end TransportError"]);
    assert_eq!(rig.get(), "error 1");
    assert_eq!(rig.post("4a"), "error 1");
}

#[test]
fn malformed_packets_end_the_session() {
    for body in ["abc", "", "4a\x1e", "b!", "\u{1e}"] {
        let mut rig = Rig::polling();
        assert_eq!(rig.get(), "parked");
        assert_eq!(rig.post(body), "400", "{body:?}");
        let outputs = rig.outputs();
        assert!(outputs.ends_with(&["answer 1".to_owned(), "end ParseError".to_owned()]));
        assert_eq!(rig.get(), "error 1");
    }
    let mut rig = Rig::polling();
    assert_eq!(rig.session.post(b"4\xff", false, rig.now), PollAnswer::Bad);
    assert_eq!(rig.outputs(), ["end ParseError"]);
}

#[test]
fn what_came_before_a_malformed_packet_is_taken() {
    let mut rig = Rig::polling();
    assert_eq!(rig.post("4a\x1ez\x1e4b"), "400");
    assert_eq!(rig.outputs(), ["text a", "end ParseError"]);
}

#[test]
fn a_body_that_is_too_large_or_of_bytes_ends_the_session() {
    let mut rig = Rig::polling();
    assert_eq!(rig.post(&"4".repeat(101)), "413");
    assert_eq!(rig.outputs(), ["end TransportError"]);
    let mut rig = Rig::polling();
    assert_eq!(rig.session.post(b"4a", true, rig.now), PollAnswer::Bad);
    assert_eq!(rig.outputs(), ["end TransportError"]);
}

#[test]
fn a_client_that_hangs_up_on_its_get_has_left() {
    let mut rig = Rig::polling();
    rig.session.hung_up();
    assert_eq!(rig.outputs(), [""; 0], "nothing is parked");
    assert_eq!(rig.get(), "parked");
    rig.session.hung_up();
    assert_eq!(rig.outputs(), ["end TransportError"]);
    assert_eq!(rig.get(), "error 1");
}

#[test]
fn a_client_that_closes_has_its_get_answered_with_a_noop() {
    let mut rig = Rig::polling();
    assert_eq!(rig.get(), "parked");
    assert_eq!(rig.post("1\x1e4late"), "ok");
    assert_eq!(rig.outputs(), ["answer 6", "end TransportClose"]);
    assert_eq!(rig.get(), "error 1");

    let mut rig = Rig::over_websocket();
    rig.session.hear_carrier(said("1"), rig.now);
    assert_eq!(rig.outputs(), ["close carrier", "end TransportClose"]);
    assert!(rig.session.is_over());
}

/// As the protocol's own test suite has it, which sends both at once.
#[test]
fn a_get_that_the_close_overtook_is_answered_with_a_noop() {
    let mut rig = Rig::polling();
    rig.session.send(&[text("lost")]).unwrap();
    assert_eq!(rig.post("1"), "ok");
    assert_eq!(rig.outputs(), ["end TransportClose"]);
    assert_eq!(rig.post("4late"), "error 1");
    assert_eq!(rig.get(), "6");
    assert_eq!(rig.get(), "error 1", "once");
    assert!(rig.session.is_over());

    let mut rig = Rig::polling();
    assert_eq!(rig.post("1"), "ok");
    assert_eq!(rig.outputs(), ["end TransportClose"]);
    rig.pass(LEAVE_PATIENCE);
    assert_eq!(rig.outputs(), [""; 0]);
    assert!(rig.session.is_over(), "no GET has to come");
}

#[test]
fn the_server_closes_behind_what_waits() {
    let mut rig = Rig::polling();
    rig.session.send(&[text("bye")]).unwrap();
    rig.session.close(EndReason::ForcedClose, rig.now);
    assert_eq!(rig.outputs(), ["end ForcedClose"]);
    assert_eq!(rig.post("4ignored"), "ok");
    assert_eq!(rig.get(), "4bye");
    assert_eq!(rig.get(), "1", "by itself");
    assert!(rig.session.is_over());

    let mut rig = Rig::polling();
    assert_eq!(rig.get(), "parked");
    rig.session.close(EndReason::ForcedClose, rig.now);
    assert_eq!(rig.outputs(), ["end ForcedClose", "answer 1"]);
    assert!(rig.session.is_over());

    let mut rig = Rig::over_websocket();
    rig.session.close(EndReason::ForcedClose, rig.now);
    assert_eq!(rig.outputs(), ["close carrier", "end ForcedClose"]);
    assert!(rig.session.is_over());
}

#[test]
fn nobody_has_to_fetch_the_servers_close() {
    let mut rig = Rig::polling();
    rig.session.close(EndReason::ForcedClose, rig.now);
    assert_eq!(rig.session.deadline(), Some(CLOSE_PATIENCE));
    rig.pass(CLOSE_PATIENCE);
    assert_eq!(rig.outputs(), ["end ForcedClose"], "once");
    assert!(rig.session.is_over());
}

#[test]
fn one_ping_goes_out_for_each_interval_behind_the_last_pong() {
    for mut rig in [Rig::polling(), Rig::over_websocket()] {
        let over = rig.session.carrier;
        for _ in 0..3 {
            rig.pass(24_999 * MS);
            assert_eq!(rig.outputs(), [""; 0]);
            rig.pass(MS);
            rig.pass(MS);
            match over {
                Carrier::Polling => {
                    assert_eq!(rig.get(), "2");
                    assert_eq!(rig.post("3"), "ok");
                }
                Carrier::WebSocket => {
                    assert_eq!(rig.outputs(), ["write 2"]);
                    rig.session.hear_carrier(said("3"), rig.now);
                }
            }
        }
    }
}

#[test]
fn a_client_without_a_pong_is_gone() {
    let mut rig = Rig::over_websocket();
    rig.pass(CONFIG.ping_interval);
    assert_eq!(rig.outputs(), ["write 2"]);
    rig.pass(CONFIG.ping_timeout - MS);
    assert!(!rig.session.is_overdue(rig.now));
    rig.pass(MS);
    assert_eq!(rig.outputs(), ["close carrier", "end PingTimeout"]);

    let mut rig = Rig::polling();
    rig.pass(CONFIG.ping_interval);
    assert_eq!(rig.get(), "2");
    assert_eq!(rig.get(), "parked");
    rig.pass(CONFIG.ping_timeout);
    assert_eq!(rig.outputs(), ["answer 1", "end PingTimeout"]);
}

/// As sessions that others' servers never forgot showed.
#[test]
fn the_deadline_holds_though_nobody_polls_and_is_looked_at_when_somebody_comes() {
    let mut rig = Rig::polling();
    rig.pass(CONFIG.ping_interval);
    assert_eq!(rig.session.deadline(), Some(rig.now + CONFIG.ping_timeout));
    rig.now += CONFIG.ping_timeout;
    assert_eq!(rig.get(), "error 1");
    assert_eq!(rig.outputs(), ["end PingTimeout"]);
    assert_eq!(rig.session.deadline(), None);
}

#[test]
fn another_packet_puts_the_end_off_once() {
    let mut rig = Rig::over_websocket();
    rig.pass(CONFIG.ping_interval);
    for expected in [true, false] {
        rig.pass(CONFIG.ping_timeout - MS);
        rig.session.hear_carrier(said("4a"), rig.now);
        rig.pass(MS);
        assert_eq!(rig.session.is_open(), expected);
    }
}

#[test]
fn who_reads_and_stood_still_gives_one_more_round() {
    let mut rig = Rig::over_websocket();
    rig.pass(CONFIG.ping_interval);
    rig.now += CONFIG.ping_timeout;
    assert!(rig.session.is_overdue(rig.now));
    rig.session.one_more_round(rig.now);
    rig.pass(CONFIG.ping_timeout - MS);
    assert!(rig.session.is_open());
    rig.pass(MS);
    assert!(!rig.session.is_open());
}

#[test]
fn a_client_does_not_ping() {
    let mut rig = Rig::polling();
    assert_eq!(rig.post("2"), "ok");
    assert_eq!(rig.outputs(), ["end TransportError"]);
    let mut rig = Rig::over_websocket();
    rig.session.hear_carrier(said("2probe"), rig.now);
    assert_eq!(rig.outputs(), ["close carrier", "end TransportError"]);
}

#[test]
fn packets_without_a_meaning_are_ignored() {
    let mut rig = Rig::over_websocket();
    for packet in ["0", "5", "6", "3"] {
        rig.session.hear_carrier(said(packet), rig.now);
    }
    assert_eq!(rig.outputs(), [""; 0]);
}

#[test]
fn a_websocket_carries_one_packet_in_each_message_up_to_max_payload() {
    let mut rig = Rig::over_websocket();
    rig.session.hear_carrier(said("4a\x1eb"), rig.now);
    rig.session
        .hear_carrier(WebSocketInput::Binary(vec![4, 5]), rig.now);
    rig.session.hear_carrier(said("bAQ=="), rig.now);
    assert_eq!(
        rig.outputs(),
        ["text a\x1eb", "binary [4, 5]", "binary [1]"]
    );
    for large in [said(&"4".repeat(101)), WebSocketInput::Binary(vec![0; 101])] {
        let mut rig = Rig::over_websocket();
        rig.session.hear_carrier(large, rig.now);
        assert_eq!(rig.outputs(), ["close carrier", "end TransportError"]);
    }
    for malformed in ["", "abc", "b!"] {
        let mut rig = Rig::over_websocket();
        rig.session.hear_carrier(said(malformed), rig.now);
        assert_eq!(rig.outputs(), ["close carrier", "end ParseError"]);
    }
}

#[test]
fn a_websocket_that_ends_ends_its_session() {
    let mut rig = Rig::over_websocket();
    rig.session.carrier_ended(EndReason::TransportClose);
    assert_eq!(rig.outputs(), ["close carrier", "end TransportClose"]);
}

#[test]
fn an_upgrade_releases_the_get_and_what_waits_goes_over_the_websocket() {
    let mut rig = Rig::polling();
    assert_eq!(rig.get(), "parked");
    assert!(rig.session.probe(rig.now));
    assert_eq!(rig.outputs(), [""; 0]);
    rig.session.hear_candidate(&said("2probe"), rig.now);
    assert_eq!(rig.outputs(), ["probe 3probe", "answer 6"]);
    rig.session.send(&[text("a")]).unwrap();
    rig.session.hear_candidate(&said("5"), rig.now);
    assert_eq!(rig.outputs(), ["promote", "write 4a"]);
    rig.session
        .send(&[text("b"), Sent::Binary(vec![1])])
        .unwrap();
    assert_eq!(rig.outputs(), ["write 4b", "write bAQ=="]);
    rig.session.hear_carrier(said("4c"), rig.now);
    assert_eq!(rig.outputs(), ["text c"]);
    assert_eq!(rig.get(), "error 3");
    assert_eq!(rig.post("4d"), "error 3");
    assert!(rig.session.is_open());
}

/// Rule (a); as stalls of 25 seconds in other servers showed, which released the first GET only.
#[test]
fn every_get_between_probe_and_upgrade_is_released() {
    let mut rig = Rig::probed();
    for _ in 0..5 {
        assert_eq!(rig.get(), "parked");
        rig.pass(UPGRADE_PATIENCE);
        assert_eq!(rig.outputs(), ["answer 6"]);
    }
    assert_eq!(rig.get(), "parked");
    rig.session.send(&[text("a")]).unwrap();
    assert_eq!(rig.outputs(), ["answer 4a"], "what is sent does not wait");
}

/// Rule (b).
#[test]
fn a_get_that_overtakes_the_upgrade_waits_for_it() {
    let mut rig = Rig::probed();
    assert_eq!(rig.get(), "parked");
    rig.pass(UPGRADE_PATIENCE / 2);
    rig.session.hear_candidate(&said("5"), rig.now);
    assert_eq!(rig.outputs(), ["promote", "answer error 3"]);
}

/// As the protocol's own test suite showed, whose client asks for both at once.
#[test]
fn a_get_that_overtakes_the_probe_waits_for_the_upgrade() {
    for is_open in [false, true] {
        for goes_on in [false, true] {
            let mut rig = Rig::polling();
            rig.session.expect_candidate(rig.now);
            if is_open {
                assert!(rig.session.probe(rig.now));
            }
            assert_eq!(rig.get(), "parked");
            if !is_open {
                assert!(rig.session.probe(rig.now));
            }
            rig.session.hear_candidate(&said("2probe"), rig.now);
            assert_eq!(rig.outputs(), ["probe 3probe"]);
            if goes_on {
                rig.session.hear_candidate(&said("5"), rig.now);
                assert_eq!(rig.outputs(), ["promote", "answer error 3"]);
            } else {
                rig.pass(UPGRADE_PATIENCE);
                assert_eq!(rig.outputs(), ["answer 6"]);
            }
        }
    }
}

/// As the protocol's own test suite wants it, and an application on another thread would not have it.
#[test]
fn answers_to_one_post_come_with_one_get() {
    let mut rig = Rig::polling();
    assert_eq!(rig.post("4a\x1e4b"), "ok");
    rig.session.send(&[text("A")]).unwrap();
    assert_eq!(rig.get(), "parked");
    rig.session.note_taken();
    rig.session.send(&[text("B")]).unwrap();
    rig.session.note_taken();
    assert_eq!(rig.outputs(), ["text a", "text b", "answer 4A\x1e4B"]);

    let mut rig = Rig::polling();
    assert_eq!(rig.get(), "parked");
    assert_eq!(rig.post("4slow"), "ok");
    rig.session.send(&[text("now")]).unwrap();
    assert_eq!(rig.get(), "parked");
    rig.session.send(&[text("news")]).unwrap();
    assert_eq!(rig.session.deadline(), Some(ANSWER_PATIENCE));
    rig.pass(ANSWER_PATIENCE);
    let seen = ["text slow", "answer 4now", "answer 4news"];
    assert_eq!(rig.outputs(), seen, "bounded");
}

/// As a busy machine showed, on which the thread that keeps deadlines came late.
#[test]
fn a_ping_that_was_not_fetched_in_time_is_missed_however_late_that_is_seen() {
    let end = CONFIG.ping_interval + CONFIG.ping_timeout;
    let mut rig = Rig::polling();
    rig.now = end;
    assert_eq!(rig.get(), "error 1");
    assert_eq!(rig.outputs(), ["end PingTimeout"]);

    let mut rig = Rig::polling();
    rig.now = end + CONFIG.ping_timeout;
    assert_eq!(rig.get(), "2", "the process stood still");
    assert_eq!(rig.outputs(), [""; 0]);
}

#[test]
fn what_a_websocket_refuses_goes_first_when_it_takes_more() {
    let mut rig = Rig::over_websocket();
    let write = |rig: &mut Rig| {
        let outputs = std::iter::from_fn(|| rig.session.next_output());
        let written = outputs.filter_map(|output| match output {
            Output::Write(queued) => Some(queued),
            _ => None,
        });
        written.collect::<Vec<_>>()
    };
    let group = [text("5"), Sent::Binary(vec![1]), Sent::Binary(vec![2])];
    rig.session.send(&group).unwrap();
    rig.session.send(&[text("b")]).unwrap();
    let mut written = write(&mut rig);
    // Its header has left.
    assert_eq!(rig.session.refused(written.split_off(1)), 0);
    rig.session.send(&[text("c")]).unwrap();
    assert!(!rig.session.is_writable());
    assert_eq!(rig.outputs(), [""; 0]);
    assert!(
        rig.session.drop_oldest(),
        "b: the attachments have to leave"
    );
    rig.session.drained();
    assert_eq!(rig.outputs(), ["write bAQ==", "write bAg==", "write 4c"]);
    assert!(rig.session.is_writable());

    rig.session.send(&[text("d")]).unwrap();
    let written = write(&mut rig);
    rig.session.refused(written.clone());
    rig.session.close(EndReason::ForcedClose, rig.now);
    assert_eq!(rig.outputs(), ["end ForcedClose"]);
    rig.session.drained();
    assert_eq!(rig.outputs(), ["write 4d", "close carrier"], "behind it");
    assert_eq!(rig.session.refused(written), 1, "too late");
}

/// Rule (c); as 19 GiB of another server showed, whose proxy held the WebSockets open.
#[test]
fn an_upgrade_has_a_deadline_and_polling_lives_on() {
    for probed in [false, true] {
        let mut rig = Rig::polling();
        assert!(rig.session.probe(rig.now));
        if probed {
            rig.session.hear_candidate(&said("2probe"), rig.now);
            rig.outputs();
        }
        assert_eq!(rig.session.deadline(), Some(CONFIG.upgrade_timeout));
        rig.pass(CONFIG.upgrade_timeout);
        assert_eq!(rig.outputs(), ["close candidate"]);
        rig.session.hear_candidate(&said("5"), rig.now);
        assert_eq!(rig.get(), "parked");
        rig.pass(MS * 100);
        assert_eq!(rig.outputs(), [""; 0], "as before");
        assert!(rig.session.probe(rig.now), "another try");
    }
}

/// Rule (d): such a WebSocket is opened, and closed by what drives the session.
#[test]
fn a_second_websocket_is_not_taken() {
    let mut rig = Rig::probed();
    assert!(!rig.session.probe(rig.now), "one is under way");
    rig.session.hear_candidate(&said("5"), rig.now);
    assert!(!rig.session.probe(rig.now), "it is upgraded");
    assert!(!Rig::over_websocket().session.probe(Duration::ZERO));
    rig.outputs();
    assert!(rig.session.is_open());
}

/// Rule (e).
#[test]
fn a_wrong_first_packet_drops_the_websocket_and_polling_lives_on() {
    for wrong in [
        said("2"),
        said("4a"),
        said("abc"),
        said(""),
        WebSocketInput::Binary(vec![1]),
    ] {
        let mut rig = Rig::polling();
        assert!(rig.session.probe(rig.now));
        rig.session.hear_candidate(&wrong, rig.now);
        assert_eq!(rig.outputs(), ["close candidate"]);
        assert_eq!(rig.get(), "parked");
        rig.session.send(&[text("a")]).unwrap();
        assert_eq!(rig.outputs(), ["answer 4a"]);
    }
}

#[test]
fn a_websocket_that_ends_while_it_is_probed_leaves_polling_as_it_was() {
    let mut rig = Rig::probed();
    assert_eq!(rig.get(), "parked");
    rig.session.candidate_ended();
    rig.pass(MS * 200);
    assert_eq!(rig.outputs(), [""; 0]);
    assert!(rig.session.is_open());
}

#[test]
fn the_heartbeat_goes_on_over_an_upgrade_without_a_second_first_ping() {
    let mut rig = Rig::probed();
    rig.pass(CONFIG.ping_interval / 5);
    rig.session.hear_candidate(&said("5"), rig.now);
    assert_eq!(rig.outputs(), ["promote"]);
    rig.pass(CONFIG.ping_interval * 4 / 5);
    assert_eq!(rig.outputs(), ["write 2"]);
    rig.pass(MS);
    assert_eq!(rig.outputs(), [""; 0]);
}

#[test]
fn an_end_while_an_upgrade_is_under_way_ends_both() {
    let mut rig = Rig::probed();
    assert_eq!(rig.post("1"), "ok");
    assert_eq!(rig.outputs(), ["close candidate", "end TransportClose"]);
    let mut rig = Rig::probed();
    rig.session.close(EndReason::ForcedClose, rig.now);
    assert_eq!(rig.outputs(), ["close candidate", "end ForcedClose"]);
    assert_eq!(rig.get(), "1");
}

/// As sessions of other servers showed, whose bytes nothing bounded.
#[test]
fn what_waits_for_a_slow_client_is_bounded() {
    let mut rig = Rig::polling();
    for _ in 0..5 {
        rig.session.send(&[text("a")]).unwrap();
    }
    assert_eq!(rig.session.send(&[text("b")]), Err(QueueFull));
    assert!(rig.session.drop_oldest());
    assert_eq!(rig.session.send(&[text("b")]), Ok(()));
    assert_eq!(rig.get(), "4a\x1e4a\x1e4a\x1e4a\x1e4b");
    rig.session.send(&[text(&"x".repeat(45))]).unwrap();
    assert_eq!(rig.session.send(&[text("12345")]), Err(QueueFull));
}

#[test]
fn what_is_volatile_finds_nobody_who_waits() {
    let mut rig = Rig::polling();
    assert!(!rig.session.is_writable());
    rig.get();
    assert!(rig.session.is_writable());
    rig.session.send(&[text("a")]).unwrap();
    assert!(!rig.session.is_writable());
    assert!(Rig::over_websocket().session.is_writable());
}
