//! How it ends: Close frames in both directions, and violations with their codes and words.

use super::*;

#[test]
fn f12_close_payloads() {
    check(&frame(0x88, b""), &[Event::Close(None, String::new())]);
    check(&frame(0x88, b"\x03\xE8"), &[closed(1000, "")]);
    check(
        &frame(0x88, "\u{3}\u{0}bye é".as_bytes()),
        &[Failed(Violation::InvalidCloseCode(0x300))],
    );
    check(
        &frame(0x88, &[b"\x0F\xA0", "bye é".as_bytes()].concat()),
        &[closed(4000, "bye é")],
    );
    let longest = "x".repeat(123);
    check(
        &frame(0x88, &[b"\x03\xE9", longest.as_bytes()].concat()),
        &[closed(1001, &longest)],
    );
    refused(&frame(0x88, &[0; 126]), Violation::ControlTooLong);
    refused(&frame(0x88, b"\x03"), Violation::TruncatedCloseCode);
    for (bad, _) in IMPOSSIBLE {
        refused(
            &frame(0x88, &[b"\x03\xE8", *bad].concat()),
            Violation::InvalidUtf8,
        );
    }
    refused(&frame(0x88, b"\x03\xE8\xE2\x82"), Violation::InvalidUtf8);
    assert_eq!(Violation::TruncatedCloseCode.close_code(), 1002);
    assert_eq!(Violation::InvalidCloseCode(0).close_code(), 1002);
}

#[test]
fn f12_every_close_code() {
    let allowed = |code| {
        [1000..=1003, 1007..=1014, 3000..=4999]
            .iter()
            .any(|r| r.contains(&code))
    };
    for code in 0..=u16::MAX {
        let parsed =
            close::parse(&code.to_be_bytes()).map(|(code, reason)| (code, reason.to_string()));
        if allowed(code) {
            assert_eq!(parsed, Ok((Some(CloseCode::from(code)), String::new())));
        } else {
            assert_eq!(parsed, Err(Violation::InvalidCloseCode(code)));
        }
        assert_eq!(CloseCode::from(code).is_allowed_on_wire(), allowed(code));
    }
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535] {
        refused(
            &frame(0x88, &u16::to_be_bytes(code)),
            Violation::InvalidCloseCode(code),
        );
    }
}

#[test]
fn f13_after_a_close_everything_is_ignored() {
    let close = frame(0x88, b"\x03\xE8");
    let after = [frame(0x81, b"late"), close.clone(), vec![0xFF; 50]].concat();
    check(
        &[close.clone(), after.clone()].concat(),
        &[closed(1000, "")],
    );
    // In the middle of a message as well: the message is given up.
    let inside = [frame(0x01, b"begun"), close, frame(0x80, b"end"), after].concat();
    check(&inside, &[closed(1000, "")]);
    let mut driver = Driver::server();
    driver.feed(&inside);
    assert!(!driver.assembling());
    assert!(driver.buf.is_empty());
}

#[test]
fn after_a_violation_everything_is_ignored() {
    for bad in [
        vec![0xFF],
        frame(0x81, b"\xFF"),
        frame(0x80, b""),
        frame(0x88, b"\x03"),
    ] {
        let stream = [
            frame(0x89, b""),
            bad,
            frame(0x81, b"late"),
            frame(0x88, b""),
        ]
        .concat();
        let mut driver = Driver::server();
        driver.feed(&stream);
        assert!(matches!(driver.events[..], [Event::Ping(_), Failed(_)]));
        driver.feed(&stream);
        assert_eq!(driver.events.len(), 2);
        assert!(driver.buf.is_empty());
        assert!(!driver.assembling());
    }
}

#[test]
fn b20_behind_a_standstill_a_close_has_its_whole_time_again() {
    let mut sender = Sender::new(Duration::from_secs(5));
    sender.resumed(Duration::from_secs(6));
    assert_eq!(sender.close_deadline(), None, "there was none");
    sender.close(None, "", None, Duration::from_secs(7), &mut Vec::new());
    sender.resumed(Duration::from_secs(20));
    assert_eq!(sender.close_deadline(), Some(Duration::from_secs(25)));
}

#[test]
fn f14_what_we_send_as_a_close() {
    let sent = |code: Option<CloseCode>, reason: &str| {
        let mut out = Vec::new();
        let mut sender = Sender::new(Duration::from_secs(5));
        assert!(sender.close(code, reason, None, Duration::from_secs(7), &mut out));
        assert!(sender.close_sent());
        assert_eq!(sender.close_deadline(), Some(Duration::from_secs(12)));
        let len = out.len();
        assert!(
            !sender.close(code, reason, None, Duration::from_secs(9), &mut out),
            "only once"
        );
        assert_eq!(sender.close_deadline(), Some(Duration::from_secs(12)));
        assert_eq!(
            sender.frame(Opcode::Text, b"late", None, &mut out),
            Err(AfterClose)
        );
        assert!(sender.header(Opcode::Pong, 0, None).is_err());
        assert_eq!(out.len(), len);
        out
    };
    assert_eq!(sent(None, "dropped"), [0x88, 0]);
    assert_eq!(sent(Some(CloseCode::NORMAL), ""), [0x88, 2, 0x03, 0xE8]);
    assert_eq!(
        sent(Some(CloseCode::from(4999)), "a\r\n"),
        b"\x88\x05\x13\x87a\r\n"
    );
    for reserved in [
        CloseCode::NO_STATUS,
        CloseCode::ABNORMAL,
        1015.into(),
        0.into(),
        5000.into(),
    ] {
        assert_eq!(sent(Some(reserved), "x"), [0x88, 0]);
    }
    for n in 115..130 {
        let reason = format!("{}😀€é", "x".repeat(n));
        let events = run(
            Role::Client,
            LIMITS,
            [&sent(Some(CloseCode::GOING_AWAY), &reason)[..]],
        );
        assert_eq!(events, [closed(1001, close::truncate_reason(&reason))]);
    }
    let unsent = Sender::new(Duration::MAX);
    assert!(!unsent.close_sent());
    assert_eq!(unsent.close_deadline(), None);
}

#[test]
fn f14_reasons_are_cut_between_characters() {
    for (n, cut) in [
        (119, 123),
        (120, 120),
        (121, 121),
        (122, 122),
        (123, 123),
        (124, 123),
    ] {
        let reason = format!("{}😀", "x".repeat(n));
        assert_eq!(close::truncate_reason(&reason), &reason[..cut]);
    }
    assert_eq!(close::truncate_reason(""), "");
    assert_eq!(close::truncate_reason("short é"), "short é");
}

#[test]
fn close_codes_and_violations_read_well() {
    assert_eq!(CloseCode::GOING_AWAY.to_string(), "1001");
    assert_eq!(u16::from(CloseCode::from(4321)), 4321);
    assert_eq!(CloseCode::NORMAL, 1000);
    assert_eq!(1000, CloseCode::NORMAL);
    assert_ne!(CloseCode::NORMAL, 1001);
    let too_big: Box<dyn core::error::Error> = Box::new(Violation::MessageTooBig { limit: 10 });
    assert_eq!(too_big.to_string(), "a message was longer than 10 bytes");
    assert_eq!(
        Violation::UnknownOpcode(11).to_string(),
        "unknown opcode 11"
    );
    assert_eq!(AfterClose.to_string(), "the close frame was already sent");
}

#[test]
fn every_violation_has_its_close_code_and_words_that_fit_a_close_frame() {
    let violations = [
        (Violation::UnmaskedFrame, 1002, "not masked"),
        (Violation::MaskedFrame, 1002, "was masked"),
        (Violation::ReservedBits, 1002, "reserved bit"),
        (Violation::UnknownOpcode(11), 1002, "opcode 11"),
        (Violation::FragmentedControl, 1002, "fragmented"),
        (Violation::ControlTooLong, 1002, "125 bytes"),
        (Violation::NonMinimalLength, 1002, "shortest form"),
        (Violation::LengthOverflow, 1002, "highest bit"),
        (Violation::MessageTooBig { limit: 77 }, 1009, "77 bytes"),
        (
            Violation::TooManyFragments { limit: 5 },
            1008,
            "5 fragments",
        ),
        (Violation::UnexpectedContinuation, 1002, "without a message"),
        (Violation::ExpectedContinuation, 1002, "unfinished"),
        (Violation::InvalidUtf8, 1007, "UTF-8"),
        (Violation::TruncatedCloseCode, 1002, "half a close code"),
        (Violation::InvalidCloseCode(999), 1002, "999"),
    ];
    for (violation, code, words) in violations {
        let text = violation.to_string();
        assert_eq!(violation.close_code(), code, "{text}");
        assert!(text.contains(words), "{text}");
        // RFC 6455 5.5: 125 bytes, two of which are the code.
        assert!(text.len() <= 123, "{text}");
    }
}

#[test]
fn a_close_code_compares_with_its_number_from_both_sides() {
    assert!(CloseCode::NORMAL == 1000);
    assert!(1000 == CloseCode::NORMAL);
    assert!(CloseCode::NORMAL != 1001);
    assert!(1001 != CloseCode::NORMAL);
}

#[test]
fn m09_a_close_has_its_time_behind_what_goes_before_it() {
    let mut sender = Sender::new(Duration::from_secs(5));
    sender.progressed(1_000, 100, Duration::from_secs(0));
    assert_eq!(sender.close_deadline(), None);
    sender.close(None, "", None, Duration::from_secs(1), &mut Vec::new());
    assert_eq!(sender.close_deadline(), Some(Duration::from_secs(6)));
    sender.progressed(100, 100, Duration::from_secs(4));
    assert_eq!(sender.close_deadline(), Some(Duration::from_secs(7)));
    sender.progressed(1_000_000, 100, Duration::from_secs(6));
    assert_eq!(sender.close_deadline(), Some(Duration::from_secs(11)));
}
