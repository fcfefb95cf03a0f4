//! Sessions that long polling carries: GETs that wait, POSTs, bodies that break the rules, and ends.

use super::*;
use crate::socketio::engine::protocol::polling::ANSWER_PATIENCE;
use crate::socketio::engine::protocol::untaken::MOST_UNTAKEN;

#[test]
fn a_get_is_held_until_there_is_something_and_one_that_finds_something_is_answered() {
    let mut rig = Rig::polling();
    assert_eq!(rig.get(), "parked");
    rig.session.send(&[text("a")]);
    assert_eq!(rig.outputs(), ["answer 4a"]);
    rig.session.send(&[text("b"), Sent::Binary(vec![1, 2, 3])]);
    rig.session.send(&[text("c")]);
    assert_eq!(rig.get(), "4b\x1ebAQID\x1e4c");
    assert_eq!(rig.get(), "parked");
    assert_eq!(rig.outputs(), [""; 0]);
}

#[test]
fn a_payload_stops_at_max_payload_and_one_packet_always_goes_out() {
    let mut rig = Rig::polling();
    let long = "x".repeat(120);
    rig.session.send(&[text(&long)]);
    assert_eq!(rig.get(), format!("4{long}"));
    for _ in 0..3 {
        rig.session.send(&[text("yyyyyyyyyyyy")]);
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
    assert_eq!(
        rig.session.post(b"4\xff", false, rig.now),
        Some(PollAnswer::Bad)
    );
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
    assert_eq!(
        rig.session.post(b"4a", true, rig.now),
        Some(PollAnswer::Bad)
    );
    assert_eq!(rig.outputs(), ["end TransportError"]);
}

#[test]
fn a_client_that_hangs_up_on_its_get_has_left() {
    let mut rig = Rig::polling();
    rig.session.hung_up();
    assert_eq!(rig.outputs(), [""; 0], "nothing is parked");
    assert_eq!(rig.get(), "parked");
    rig.session.hung_up();
    assert_eq!(rig.outputs(), ["answer 1", "end TransportError"]);
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
    rig.session.send(&[text("lost")]);
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
    rig.session.send(&[text("bye")]);
    rig.session
        .close(DisconnectReason::ForcedServerClose, rig.now);
    assert_eq!(rig.outputs(), ["end ForcedServerClose"]);
    assert_eq!(rig.post("4ignored"), "ok");
    assert_eq!(rig.get(), "4bye");
    assert_eq!(rig.get(), "1", "by itself");
    assert!(rig.session.is_over());

    let mut rig = Rig::polling();
    assert_eq!(rig.get(), "parked");
    rig.session
        .close(DisconnectReason::ForcedServerClose, rig.now);
    assert_eq!(rig.outputs(), ["end ForcedServerClose", "answer 1"]);
    assert!(rig.session.is_over());

    let mut rig = Rig::over_websocket();
    rig.session
        .close(DisconnectReason::ForcedServerClose, rig.now);
    assert_eq!(rig.outputs(), ["close carrier", "end ForcedServerClose"]);
    assert!(rig.session.is_over());
}

#[test]
fn nobody_has_to_fetch_the_servers_close() {
    let mut rig = Rig::polling();
    rig.session
        .close(DisconnectReason::ForcedServerClose, rig.now);
    assert_eq!(rig.session.deadline(), Some(CLOSE_PATIENCE));
    rig.pass(CLOSE_PATIENCE);
    assert_eq!(rig.outputs(), ["end ForcedServerClose"], "once");
    assert!(rig.session.is_over());
}

/// As the protocol's own test suite wants it, and an application on another thread would not have it.
#[test]
fn answers_to_one_post_come_with_one_get() {
    let mut rig = Rig::polling();
    assert_eq!(rig.post("4a\x1e4b"), "ok");
    rig.session.send(&[text("A")]);
    assert_eq!(rig.get(), "parked");
    rig.session.note_taken(1, rig.now);
    rig.session.send(&[text("B")]);
    rig.session.note_taken(1, rig.now);
    assert_eq!(rig.outputs(), ["text a", "text b", "answer 4A\x1e4B"]);

    let mut rig = Rig::polling();
    assert_eq!(rig.get(), "parked");
    assert_eq!(rig.post("4slow"), "ok");
    rig.session.send(&[text("now")]);
    assert_eq!(rig.get(), "parked");
    rig.session.send(&[text("news")]);
    assert_eq!(rig.session.deadline(), Some(ANSWER_PATIENCE));
    rig.pass(ANSWER_PATIENCE);
    let seen = ["text slow", "answer 4now", "answer 4news"];
    assert_eq!(rig.outputs(), seen, "bounded");
}

/// A message of a byte takes many times as much once it is a task of the application's.
#[test]
fn the_application_has_so_many_messages_of_a_client_that_polls_at_once() {
    let mut rig = Rig::polling();
    rig.session.config.max_payload = 1_000_000;
    let all = MOST_UNTAKEN * 2 + 1;
    assert_eq!(rig.post(&vec!["4a"; all].join("\x1e")), "held");
    assert_eq!(rig.outputs(), vec!["text a"; MOST_UNTAKEN]);
    assert_eq!(rig.outputs(), vec!["text a"; MOST_UNTAKEN]);
    assert_eq!(rig.outputs(), ["text a", "answer the post ok"]);

    let short = vec!["4a"; MOST_UNTAKEN].join("\x1e");
    assert_eq!(rig.post(&format!("{short}\x1e?")), "held");
    assert_eq!(rig.outputs(), vec!["text a"; MOST_UNTAKEN]);
    let wanted = ["end ParseError", "answer the post 400"];
    assert_eq!(rig.outputs(), wanted, "behind what came before it");
}

#[test]
fn a_post_that_is_held_is_answered_at_the_end_of_the_session() {
    for by_server in [false, true] {
        let mut rig = Rig::polling();
        rig.session.config.max_payload = 1_000_000;
        let body = vec!["4a"; MOST_UNTAKEN + 1].join("\x1e");
        assert_eq!(rig.post(&body), "held");
        match by_server {
            true => rig
                .session
                .close(DisconnectReason::ForcedServerClose, rig.now),
            false => assert_eq!(rig.post("4b"), "400"),
        }
        let outputs = rig.outputs();
        let is_answered = |output: &String| output == "answer the post ok";
        assert_eq!(outputs.iter().filter(|it| is_answered(it)).count(), 1);
        let texts = outputs.iter().filter(|it| *it == "text a").count();
        assert_eq!(texts, MOST_UNTAKEN, "nothing of it is read any more");
        assert!(rig.outputs().is_empty());
    }
}
