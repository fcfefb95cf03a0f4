use serde_json::json;

use super::*;

const LIMIT: usize = 1 << 20;

fn decode(message: &Value) -> Result<QueueMessage, QueueError> {
    QueueMessage::decode(message.to_string().as_bytes(), LIMIT)
}

fn method(message: &Value) -> QueueMethod {
    decode(message).unwrap().method
}

/// As python-socketio 5.18 publishes it.
fn emitted() -> Value {
    json!({
        "method": "emit", "event": "ev", "data": [{"z": 1}], "binary": false, "namespace": "/", "room": "r",
        "skip_sid": null, "callback": null, "host_id": "h",
    })
}

fn event_with(changes: Value) -> Result<QueuedEvent, QueueError> {
    let mut message = emitted();
    for (field, value) in changes.as_object().unwrap() {
        message[field] = value.clone();
    }
    match decode(&message)?.method {
        QueueMethod::Emit(event) => Ok(event),
        other => panic!("{other:?}"),
    }
}

fn arguments(data: Value) -> Vec<Value> {
    event_with(json!({ "data": data })).unwrap().arguments
}

#[test]
fn an_event_is_read() {
    let plain = QueuedEvent {
        namespace: "/".to_owned(),
        event: "ev".to_owned(),
        arguments: vec![json!({"z": 1})],
        attachments: Vec::new(),
        rooms: vec!["r".to_owned()],
        skipped: Vec::new(),
        reply_to: None,
    };
    assert_eq!(event_with(json!({})).unwrap(), plain);
    let to_all = event_with(json!({"room": null, "namespace": null})).unwrap();
    assert_eq!((to_all.rooms.len(), &*to_all.namespace), (0, "/"));
}

/// The arguments that clients of python-socketio get of the same message.
#[test]
fn data_is_the_list_of_arguments() {
    assert_eq!(
        arguments(json!([1, "two", [3]])),
        [json!(1), json!("two"), json!([3])]
    );
    assert_eq!(arguments(json!([[1, 2]])), [json!([1, 2])]);
    for nothing in [json!([]), json!([null]), json!(null)] {
        assert_eq!(arguments(nothing), Vec::<Value>::new());
    }
    assert_eq!(arguments(json!([null, null])), [json!(null), json!(null)]);
    // Of 5.14, which sends what it was given.
    assert_eq!(arguments(json!("text")), [json!("text")]);
}

#[test]
fn rooms_and_skipped_sockets_are_one_or_many_or_numbers() {
    let event = event_with(json!({"room": ["a", 5], "skip_sid": ["x", null, "y"]})).unwrap();
    assert_eq!(event.rooms, ["a", "5"]);
    assert_eq!(event.skipped, ["x", "y"]);
    let event = event_with(json!({"room": 7, "skip_sid": "x"})).unwrap();
    assert_eq!(
        (event.rooms, event.skipped),
        (vec!["7".to_owned()], vec!["x".to_owned()])
    );
}

#[test]
fn an_event_for_no_room_is_not_one_for_all() {
    for room in [json!([]), json!({}), json!(true), json!([["a"]])] {
        let refused = event_with(json!({"room": room}));
        assert_eq!(refused, Err(QueueError::Field("room")));
    }
}

#[test]
fn binary_data_is_read() {
    let placeholder = |num: u32| json!({"_placeholder": true, "num": num});
    let event = event_with(json!({
        "binary": true, "data": [[{"a": placeholder(1)}, placeholder(0)], "AAEC", "/w=="],
    }));
    let event = event.unwrap();
    assert_eq!(
        event.arguments,
        [json!({"a": placeholder(1)}), placeholder(0)]
    );
    assert_eq!(event.attachments, [vec![0, 1, 2], vec![255]]);
    for data in [
        json!([]),
        json!("AAEC"),
        json!([[placeholder(1)], "AAEC"]),
        json!([[placeholder(0)], "not base64"]),
        json!([[placeholder(0)], 5]),
        json!([[{"_placeholder": true, "num": -1}], "AAEC"]),
        json!([[{"_placeholder": true}], "AAEC"]),
        Value::Array(vec![json!("AA=="); MAX_ATTACHMENTS + 2]),
    ] {
        let refused = event_with(json!({"binary": true, "data": data}));
        assert_eq!(refused, Err(QueueError::Field("data")), "{data}");
    }
}

#[test]
fn an_answer_goes_back_in_the_words_of_the_question() {
    let event = event_with(json!({"callback": ["sid", "/chat", 3], "host_id": "python"}));
    let answer = event
        .unwrap()
        .reply_to
        .unwrap()
        .encode(&[json!("yes"), json!(1)]);
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    let expected = json!({
        "method": "callback", "host_id": "python", "sid": "sid", "namespace": "/chat", "id": 3, "args": ["yes", 1],
    });
    assert_eq!(answer, expected);
    for callback in [
        json!(["sid", "/"]),
        json!(["sid", "/", -1]),
        json!(["sid", "/", 1, 2]),
        json!([["sid"], "/", 1]),
        json!(["sid", null, 1]),
        json!({}),
        json!(5),
    ] {
        let refused = event_with(json!({"callback": callback}));
        assert_eq!(refused, Err(QueueError::Field("callback")), "{callback}");
    }
}

#[test]
fn the_other_methods_are_read() {
    let host = "h".to_owned();
    let message = json!({"method": "callback", "host_id": "h", "sid": "s", "namespace": "/", "id": 9, "args": [1]});
    let callback = QueueMethod::Callback {
        id: 9,
        arguments: vec![json!(1)],
    };
    assert_eq!(
        decode(&message).unwrap(),
        QueueMessage {
            host,
            method: callback
        }
    );
    let (sid, room) = ("s".to_owned(), "r".to_owned());
    let namespace = "/chat".to_owned();
    for order in [
        SocketOrder::Disconnect,
        SocketOrder::EnterRoom(room.clone()),
        SocketOrder::LeaveRoom(room.clone()),
    ] {
        let bytes = order.encode("h", &namespace, &sid);
        let read = QueueMessage::decode(&bytes, LIMIT).unwrap();
        let order = QueueMethod::Order {
            namespace: namespace.clone(),
            sid: sid.clone(),
            order,
        };
        assert_eq!((&*read.host, read.method), ("h", order));
    }
    let read = QueueMessage::decode(&close_room("h", &namespace, &room), LIMIT).unwrap();
    let closed = QueueMethod::CloseRoom { namespace, room };
    assert_eq!((&*read.host, read.method), ("h", closed));
    let beat = QueueMessage::decode(&alive("h", Duration::from_millis(7)), LIMIT).unwrap();
    assert_eq!(
        beat.method,
        QueueMethod::Alive {
            age: Duration::from_millis(7)
        }
    );
}

/// Processes of Python read none of it: `if data and 'method' in data`.
#[test]
fn a_sign_of_life_has_no_method() {
    let message: Value = serde_json::from_slice(&alive("h", Duration::from_millis(7))).unwrap();
    assert!(message.get("method").is_none());
}

fn own<'a>(json: &'a str, attachments: &'a [Vec<u8>]) -> OwnEvent<'a, Vec<u8>> {
    OwnEvent {
        namespace: "/",
        json,
        attachments,
        rooms: &[],
        skipped: &[],
        callback: None,
    }
}

fn encoded(event: &OwnEvent<'_, Vec<u8>>) -> Value {
    serde_json::from_slice(&event.encode("h").unwrap()).unwrap()
}

#[test]
fn an_event_is_written_as_python_writes_it() {
    let (rooms, skipped) = (["r".to_owned()], ["x".to_owned()]);
    let event = OwnEvent {
        rooms: &rooms,
        ..own(r#"["ev",{"z":1}]"#, &[])
    };
    assert_eq!(encoded(&event), emitted());
    let event = OwnEvent {
        skipped: &skipped,
        callback: Some(4),
        ..event
    };
    let message = encoded(&event);
    assert_eq!(message["skip_sid"], json!(["x"]));
    assert_eq!(message["callback"], json!(["r", "/", 4]));
    assert_eq!(encoded(&own(r#"["ev"]"#, &[]))["data"], json!([]));
    assert_eq!(
        encoded(&own(r#"["a\"],b",1,[2]]"#, &[]))["event"],
        json!("a\"],b")
    );
    assert_eq!(
        encoded(&own(r#"["ev",1,[2]]"#, &[]))["data"],
        json!([1, [2]])
    );
}

#[test]
fn binary_data_is_written_beside_the_arguments() {
    let json = r#"["ev",{"_placeholder":true,"num":0},1]"#;
    let attachments = [vec![0, 1, 2]];
    let event = own(json, &attachments);
    let message = encoded(&event);
    assert_eq!(message["binary"], json!(true));
    let placeholder = json!({"_placeholder": true, "num": 0});
    assert_eq!(message["data"], json!([[placeholder, 1], "AAEC"]));
    let QueueMethod::Emit(read) = method(&message) else {
        panic!("{message}");
    };
    assert_eq!(
        (read.arguments, read.attachments),
        (vec![placeholder, json!(1)], vec![vec![0, 1, 2]])
    );
}

#[test]
fn what_is_no_message_is_refused_by_name() {
    let refused = |bytes: &[u8]| QueueMessage::decode(bytes, 200).unwrap_err();
    assert_eq!(refused(b"\x80\x04\x95.pickle"), QueueError::Pickle);
    for no_json in [
        &b""[..],
        b"PING",
        b"[1]",
        b"\xff",
        b"{\"method\":\"emit\",\"data\":[NaN]}",
    ] {
        assert_eq!(refused(no_json), QueueError::NoJson);
    }
    assert_eq!(refused(&[b'['; 200]), QueueError::NoJson);
    let len = 201;
    assert_eq!(
        refused(&vec![b' '; len]),
        QueueError::TooLong { len, limit: 200 }
    );
    for unknown in [json!("shutdown"), json!(5), json!(null)] {
        let message = json!({"method": unknown, "host_id": "h"});
        assert_eq!(decode(&message), Err(QueueError::UnknownMethod));
    }
    for reserved in ["connect", "disconnect", "newListener"] {
        let refused = event_with(json!({"event": reserved}));
        assert_eq!(refused, Err(QueueError::ReservedEvent));
    }
    assert_eq!(
        event_with(json!({"event": 5})),
        Err(QueueError::Field("event"))
    );
    assert_eq!(
        event_with(json!({"host_id": null})),
        Err(QueueError::Field("host_id"))
    );
    assert_eq!(
        decode(&json!({"host_id": "h"})),
        Err(QueueError::Field("wshub"))
    );
}

#[test]
fn names_are_bounded_in_number_and_length() {
    let most = vec!["r"; MAX_NAMES];
    assert_eq!(
        event_with(json!({"room": most})).unwrap().rooms.len(),
        MAX_NAMES
    );
    let more = vec!["r"; MAX_NAMES + 1];
    assert_eq!(
        event_with(json!({"skip_sid": more})),
        Err(QueueError::Field("skip_sid"))
    );
    let long = "r".repeat(MAX_NAME + 1);
    assert_eq!(
        event_with(json!({"room": long})),
        Err(QueueError::Field("room"))
    );
    let callback = json!([long, "/", 1]);
    assert_eq!(
        event_with(json!({"callback": callback})),
        Err(QueueError::Field("callback"))
    );
}

/// Whatever the bytes are, the answer is a message or an error.
#[test]
fn changed_messages_do_no_harm() {
    let binary = json!({
        "method": "emit", "event": "ev", "data": [[{"_placeholder": true, "num": 0}], "AAEC"], "binary": true,
        "namespace": "/", "room": ["r", 1], "skip_sid": ["x"], "callback": ["r", "/", 1], "host_id": "h",
    });
    for message in [emitted(), binary] {
        let text = message.to_string().into_bytes();
        for at in 0..text.len() {
            for byte in [0, b'"', b'[', b'{', b'9', b',', 0xff] {
                let mut changed = text.clone();
                changed[at] = byte;
                let _ = QueueMessage::decode(&changed, LIMIT);
            }
            let _ = QueueMessage::decode(&text[..at], LIMIT);
        }
    }
}
