//! Messages of the queue of python-socketio: they are read or refused, and an event that is written again is read as it
//! was.

use serde_json::Value;

use crate::socketio::bridge::message::{OwnEvent, QueueMessage, QueueMethod};

/// A message.
pub fn queue_messages(data: &[u8]) {
    const MOST: usize = 10_000;
    let Ok(message) = QueueMessage::decode(data, MOST) else {
        return;
    };
    assert!(data.len() <= MOST);
    let QueueMethod::Emit(event) = message.method else {
        return;
    };
    let mut list = vec![Value::from(event.event.clone())];
    list.extend(event.arguments.iter().cloned());
    let json = Value::from(list).to_string();
    let own = OwnEvent {
        namespace: &event.namespace,
        json: &json,
        attachments: &event.attachments,
        rooms: &event.rooms,
        skipped: &event.skipped,
        callback: None,
    };
    let written = own.encode(&message.host).unwrap();
    // One value that is no list is written as a list of it, and may nest too deep then.
    let Ok(again) = QueueMessage::decode(&written, usize::MAX) else {
        return;
    };
    assert_eq!(again.host, message.host);
    let QueueMethod::Emit(mut again) = again.method else {
        panic!("{again:?}");
    };
    again.reply_to = event.reply_to.clone();
    assert_eq!(again, event);
}
