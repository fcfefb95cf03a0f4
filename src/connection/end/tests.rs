//! What follows from each end, in one table.

use super::*;
use crate::protocol::violation::Violation;

fn ends() -> [End; 7] {
    [
        End::Closed(Some(CloseCode::NORMAL), "bye".to_owned()),
        End::HalfClosed,
        End::Lost,
        End::Failed(Error::Protocol(Violation::ReservedBits)),
        End::Failed(Error::PongTimeout),
        End::Failed(Error::SlowConsumer),
        End::Reported,
    ]
}

#[test]
fn what_the_peer_is_told() {
    let close = |code, reason: &str| StillToSend::Close(Some(code), reason.to_owned());
    let violation = Violation::ReservedBits.to_string();
    let told = [
        close(CloseCode::NORMAL, ""),
        StillToSend::Answers,
        StillToSend::Nothing,
        close(CloseCode::PROTOCOL_ERROR, &violation),
        StillToSend::Nothing,
        StillToSend::Answers,
        StillToSend::Nothing,
    ];
    assert_eq!(ends().map(|end| end.still_to_send()), told);
}

#[test]
fn how_the_stream_parts() {
    use StreamEnd::{Cut, Linger, Reset};
    let told = [Linger, Cut, Cut, Linger, Linger, Linger, Linger];
    assert_eq!(ends().map(|end| end.stream_end(true)), told);
    let not_told = [Cut, Cut, Cut, Reset, Reset, Reset, Reset];
    assert_eq!(ends().map(|end| end.stream_end(false)), not_told);
}

#[test]
fn what_the_application_is_told() {
    for told in [true, false] {
        let outcomes = ends().map(|end| end.outcome(told));
        for (at, (error, close)) in outcomes.iter().enumerate() {
            assert_eq!(error.is_some(), (3..6).contains(&at), "{at}");
            let closed = CloseEvent {
                code: CloseCode::NORMAL,
                reason: "bye".to_owned(),
                was_clean: told,
            };
            let expected = match at {
                0 => closed,
                _ => CloseEvent::abnormal(),
            };
            assert_eq!(*close, expected, "{at}");
        }
    }
}

#[test]
fn a_close_without_a_code_is_told_as_1005() {
    let (_, close) = End::Closed(None, String::new()).outcome(true);
    assert_eq!(close.code, CloseCode::NO_STATUS);
}

#[test]
fn a_tls_stream_without_close_notify_is_half_closed() {
    let end = |kind: io::ErrorKind| End::of_read(&kind.into());
    assert!(matches!(end(io::ErrorKind::UnexpectedEof), End::HalfClosed));
    assert!(matches!(end(io::ErrorKind::ConnectionReset), End::Lost));
}
