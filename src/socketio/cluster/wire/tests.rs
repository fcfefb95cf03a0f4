use std::sync::Arc;

use super::*;

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

/// Of what the server numbers for all.
fn origins() -> [PacketOrigin; 2] {
    let shared = PacketOrigin::of_node(FROM);
    [shared, shared.at_once()]
}

fn messages() -> Vec<Vec<u8>> {
    let wish = no_sink(7, Duration::from_millis(1500));
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
        polled(7, &PollNews::Asked(3)),
        polled(7, &PollNews::Answered(Ok(answer))),
        polled(8, &PollNews::Answered(Err(AckError::Disconnected))),
        call(9, "/", &audience()),
        present(9, &["one".to_owned(), "two".to_owned()], true),
    ];
    let [named, at_once] = origins().map(|origin| named(origin, 9));
    let of_recovery = [
        named,
        moved(&SocketMove {
            namespace: "/chat".into(),
            name: "secret".to_owned(),
            left: Some(LeftSocket {
                id: "me".to_owned(),
                rooms: vec!["a".to_owned()],
                last: ClientPosition::parse("1.2").unwrap(),
                before: ClientPosition::default(),
            }),
        }),
        moved(&SocketMove {
            namespace: "/".into(),
            name: "secret".to_owned(),
            left: None,
        }),
        at_once,
    ];
    let operations = operations.into_iter().chain(others);
    operations.chain(of_recovery).collect()
}

/// The server that has written, by its number.
const FROM: u128 = 1;

fn no_sink(poll: u64, timeout: Duration) -> AckRequest {
    AckRequest {
        poll,
        timeout,
        sink: Arc::new(|_| ()),
    }
}

fn read(message: &[u8]) -> Result<AdapterMessage, Unreadable> {
    super::read(message, NodeId::new(FROM), no_sink)
}

fn written_again(message: AdapterMessage) -> Vec<u8> {
    match message {
        AdapterMessage::Operation(it) => operation(&it),
        AdapterMessage::Polled { poll, news } => polled(poll, &news),
        AdapterMessage::Call {
            call: number,
            namespace,
            audience,
        } => call(number, &namespace, &audience),
        AdapterMessage::Present {
            call,
            sockets,
            is_last,
        } => present(call, &sockets, is_last),
        AdapterMessage::Moved(told) => moved(&told),
    }
}

#[test]
fn what_is_written_is_read() {
    for message in messages() {
        let read = read(&message).unwrap();
        assert_eq!(written_again(read), message);
    }
}

#[test]
fn what_is_read_is_what_was_written() {
    let [volatile, ask, ..] = &messages()[..] else {
        panic!("no messages");
    };
    let Ok(AdapterMessage::Operation(read_volatile)) = read(volatile) else {
        panic!("no operation");
    };
    assert_eq!(&*read_volatile.namespace, "/chat");
    assert_eq!(read_volatile.audience.rooms, audience().rooms);
    assert_eq!(read_volatile.audience.except, audience().except);
    let Act::Emit(emission) = read_volatile.act else {
        panic!("no event");
    };
    assert_eq!(emission.written, written());
    assert_eq!(emission.delivery, Reliability::Volatile);
    assert_eq!(emission.name, None);
    let Ok(AdapterMessage::Operation(Operation {
        act: Act::Ask { wish, .. },
        ..
    })) = read(ask)
    else {
        panic!("no question");
    };
    assert_eq!((wish.poll, wish.timeout), (7, Duration::from_millis(1500)));
    for origin in origins() {
        let Ok(AdapterMessage::Operation(read)) = read(&named(origin, 9)) else {
            panic!("no operation");
        };
        assert_eq!(read.is_at_once(), origin.is_at_once());
        let Act::Emit(emission) = read.act else {
            panic!("no event");
        };
        assert_eq!(emission.name, Some(PacketName { origin, number: 9 }));
    }
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
    for origin in origins() {
        for number in [0, u64::MAX] {
            assert!(read(&named(origin, number)).is_err());
        }
    }
}
