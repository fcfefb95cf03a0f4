use std::sync::Arc;

use super::super::super::operation::{AckWish, AnswerSink};
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

fn telegrams() -> Vec<Vec<u8>> {
    let wish = AckWish {
        poll: 7,
        timeout: Duration::from_millis(1500),
        sink: Arc::new(NoSink),
    };
    let acts = [
        Act::Emit {
            written: written(),
            delivery: Reliability::Volatile,
        },
        Act::Ask {
            written: written(),
            wish,
        },
        Act::Join("küche".to_owned()),
        Act::Leave(String::new()),
        Act::Disconnect,
    ];
    let audience = || Audience {
        rooms: vec!["a".to_owned(), String::new()],
        except: vec!["ü".to_owned()],
    };
    let operations = acts.map(|act| {
        operation(&Operation {
            namespace: "/chat".into(),
            audience: audience(),
            act,
        })
    });
    let answer = Answer {
        arguments: vec![1.into(), "x".into()],
        attachments: vec![vec![3].into()],
    };
    let others = [
        asked(7, 3),
        answered(7, &Ok(answer)),
        answered(8, &Err(AckError::Disconnected)),
        call(9, "/", &audience()),
        present(9, &["one".to_owned(), "two".to_owned()], true),
    ];
    operations.into_iter().chain(others).collect()
}

#[test]
fn what_is_written_is_read() {
    let read: Vec<_> = telegrams().iter().map(|it| read(it).unwrap()).collect();
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
}

#[test]
fn what_is_cut_off_or_of_another_version_is_not_read() {
    for telegram in telegrams() {
        for len in 0..telegram.len() {
            assert!(read(&telegram[..len]).is_err());
        }
    }
    assert!(read(&[99, 0]).is_err());
    // A count that nothing follows.
    assert!(read(&[DISCONNECT, 0, 0, 0, 0, 255, 255, 255, 255]).is_err());
}
