use std::sync::Arc;

use super::super::super::operation::{AckRequest, AnswerSink};
use super::super::super::position::{PacketName, PacketOrigin};
use super::*;

struct NoSink;

impl AnswerSink for NoSink {
    fn asked(&self, _: usize) {}
    fn answered(&self, _: Result<Answer, AckError>) {}
}

fn written() -> Written {
    Written {
        json: r#"["ev",{"_placeholder":true,"num":0}]"#.to_owned(),
        attachments: vec![vec![0, 255].into(), Vec::new().into()],
    }
}

fn named(origin: PacketOrigin, number: u64) -> Vec<u8> {
    operation(&Operation {
        namespace: "/chat".into(),
        audience: audience(),
        act: Act::Emit(Emission {
            name: Some(PacketName { origin, number }),
            ..Emission::new(written(), Reliability::Reliable)
        }),
    })
}

fn audience() -> Audience {
    Audience {
        rooms: vec!["a".to_owned(), String::new()],
        except: vec!["ü".to_owned()],
    }
}

fn messages() -> Vec<Vec<u8>> {
    let wish = AckRequest {
        poll: 7,
        timeout: Duration::from_millis(1500),
        sink: Arc::new(NoSink),
    };
    let acts = [
        Act::Emit(Emission::new(written(), Reliability::Volatile)),
        Act::Ask {
            written: written(),
            wish,
        },
        Act::Join("küche".to_owned()),
        Act::Leave(String::new()),
        Act::Disconnect,
    ];
    let operations = acts.map(|act| {
        operation(&Operation {
            namespace: "/chat".into(),
            audience: audience(),
            act,
        })
    });
    let arguments = AnyArguments {
        values: vec![1.into(), "x".into()],
        attachments: vec![vec![3].into()],
    };
    let answer = Answer { arguments };
    let others = [
        asked(7, 3),
        answered(7, &Ok(answer)),
        answered(8, &Err(AckError::Disconnected)),
        call(9, "/", &audience()),
        present(9, &["one".to_owned(), "two".to_owned()], true),
    ];
    let shared = PacketOrigin::of_node(1);
    let [named, at_once] = [shared, shared.at_once()].map(|origin| named(origin, 9));
    let of_recovery = [
        named,
        moved(&SocketMove::Departed {
            namespace: "/chat".into(),
            name: "secret".to_owned(),
            id: "me".to_owned(),
            rooms: vec!["a".to_owned()],
            last: ClientPosition::parse("1.2").unwrap(),
            before: ClientPosition::default(),
        }),
        moved(&SocketMove::Returned {
            namespace: "/".into(),
            name: "secret".to_owned(),
        }),
        at_once,
    ];
    let operations = operations.into_iter().chain(others);
    operations.chain(of_recovery).collect()
}

#[test]
fn what_is_written_is_read() {
    let read: Vec<_> = messages().iter().map(|it| read(it).unwrap()).collect();
    let shown = |at: usize| format!("{:?}", read[at]);
    let audience = r#"namespace: "/chat", audience: Audience { rooms: ["a", ""], except: ["ü"] }"#;
    assert!(
        read[..5]
            .iter()
            .all(|it| format!("{it:?}").contains(audience))
    );
    assert!(shown(0).contains("[Bytes(2), Bytes(0)]") && shown(0).contains("Volatile"));
    assert!(shown(1).contains("poll: 7, timeout: 1.5s"));
    assert!(shown(2).contains(r#"Join("küche")"#) && shown(3).contains(r#"Leave("")"#));
    assert_eq!(shown(5), "Asked { poll: 7, sockets: 3 }");
    assert!(shown(6).contains(r#"[Number(1), String("x")]"#));
    assert_eq!(shown(7), "Answered { poll: 8, answer: Err(Disconnected) }");
    assert!(shown(9).contains(r#"sockets: ["one", "two"], is_last: true"#));
    assert!(
        shown(10).contains(audience) && shown(10).contains("number: Some(9), is_at_once: false")
    );
    assert!(
        shown(13).contains(audience) && shown(13).contains("number: Some(9), is_at_once: true")
    );
    let moved = r#"Moved(Departed { namespace: "/chat", name: "secret", id: "me", rooms: ["a"], "#;
    assert!(shown(11).starts_with(moved));
    assert!(
        shown(11).contains("PacketOrigin(1): 2")
            && shown(11).contains("before: ClientPosition({})")
    );
    assert_eq!(
        shown(12),
        r#"Moved(Returned { namespace: "/", name: "secret" })"#
    );
}

#[test]
fn what_is_cut_off_or_of_another_version_is_not_read() {
    for message in messages() {
        for len in 0..message.len() {
            assert!(read(&message[..len]).is_err());
        }
    }
    assert!(read(&[99, 0]).is_err());
    // A count that nothing follows.
    assert!(read(&[DISCONNECT, 0, 0, 0, 0, 255, 255, 255, 255]).is_err());
    // Numbers that no server gives.
    let shared = PacketOrigin::of_node(1);
    for number in [0, u64::MAX] {
        assert!(read(&named(shared, number)).is_err());
        assert!(read(&named(shared.at_once(), number)).is_err());
    }
}
