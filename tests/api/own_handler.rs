//! How a user tests a program of their own: its handler alone, and the whole server. No socket, no
//! thread of the test, no sleep.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::ErrorKind;

use crate::support::{duplex, events_in_time};
use wshub::testing::{self, Client};
use wshub::{
    Accept, CloseCode, CloseEvent, Connection, Event, Group, Handler, Message, Overflow, Reject,
    Request, SendErrorKind, Server,
};

/// The program under test: a chat with a room per path, where everybody has a name.
#[derive(Default)]
struct Chat {
    rooms: HashMap<String, Group>,
}

fn name(request: &Request) -> Option<Cow<'_, str>> {
    request.query("name")
}

impl Handler for Chat {
    fn on_open(&mut self, connection: &Connection) {
        let room = self.room(connection);
        room.broadcast(format!(
            "{} came",
            name(connection.request()).unwrap_or("?".into())
        ));
        room.join(connection);
        let _ = connection.send("welcome");
    }

    fn on_message(&mut self, connection: &Connection, message: Message) {
        match message {
            Message::Text(text) if text == "/leave" => {
                let _ = connection.close(CloseCode::NORMAL, "see you");
            }
            Message::Text(text) => {
                let name = name(connection.request()).unwrap_or("?".into());
                let line = format!("{name}: {text}");
                self.room(connection).broadcast(line);
            }
            Message::Binary(_) => {
                let _ = connection.close(CloseCode::UNSUPPORTED_DATA, "text only");
            }
        }
    }

    fn on_close(&mut self, connection: &Connection, _: &CloseEvent) {
        let name = name(connection.request()).unwrap_or("?".into());
        let room = self.room(connection);
        room.leave(connection);
        room.broadcast(format!("{name} left"));
    }
}

impl Chat {
    fn room(&mut self, connection: &Connection) -> &mut Group {
        let path = connection.request().path().to_owned();
        self.rooms.entry(path).or_default()
    }
}

fn request(target: &str) -> Request {
    let head = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    Request::parse(head.as_bytes()).unwrap()
}

#[test]
fn the_handler_alone() {
    let mut chat = Chat::default();
    let (ann, to_ann) = testing::connection(request("/garden?name=ann"));
    let (bob, to_bob) = testing::connection(request("/garden?name=bob+b."));
    let (eve, to_eve) = testing::connection(request("/cellar?name=eve"));
    for connection in [&ann, &bob, &eve] {
        chat.on_open(connection);
    }
    assert_eq!(
        to_ann.take_messages(),
        ["welcome".into(), Message::from("bob b. came")]
    );
    assert_eq!(to_bob.take_messages(), ["welcome".into()]);

    chat.on_message(&bob, "hi".into());
    assert_eq!(to_ann.take_messages(), ["bob b.: hi".into()]);
    assert_eq!(to_bob.take_messages(), ["bob b.: hi".into()]);
    assert_eq!(to_eve.take_messages(), ["welcome".into()]);

    chat.on_message(&bob, b"\x00".into());
    assert_eq!(
        to_bob.close(),
        Some((CloseCode::UNSUPPORTED_DATA, "text only".into()))
    );
    chat.on_close(&bob, &CloseEvent::new(CloseCode::UNSUPPORTED_DATA, ""));
    assert_eq!(to_ann.take_messages(), ["bob b. left".into()]);
    chat.on_message(&ann, "/leave".into());
    assert_eq!(to_ann.close(), Some((CloseCode::NORMAL, "see you".into())));
}

/// Gives the handler its events up to the next one of a kind.
fn run_until(server: &Server, chat: &mut Chat, is_it: impl Fn(&Event) -> bool) {
    for event in events_in_time(server.events()) {
        let found = is_it(&event);
        match event {
            Event::Open(connection) => chat.on_open(&connection),
            Event::Message(connection, message) => chat.on_message(&connection, message),
            Event::Close(connection, close) => chat.on_close(&connection, &close),
            other => panic!("{other:?}"),
        }
        if found {
            return;
        }
    }
    panic!("the server ended");
}

#[test]
fn the_whole_server() {
    let server = Server::builder()
        .accept(|request| match name(request) {
            Some(_) => Ok(Default::default()),
            None => Err(Reject::forbidden().with_body("who are you?\n")),
        })
        .without_listener()
        .unwrap();
    let mut chat = Chat::default();
    let join = |target: &str| {
        let (ours, theirs) = duplex();
        server.attach(ours);
        Client::open(theirs, target)
    };
    let is_open = |event: &Event| matches!(event, Event::Open(_));
    let is_message = |event: &Event| matches!(event, Event::Message(..));
    let is_close = |event: &Event| matches!(event, Event::Close(..));

    let nobody = join("/garden").unwrap_err();
    assert_eq!(nobody.kind(), ErrorKind::ConnectionRefused);
    assert!(nobody.to_string().contains("who are you?"), "{nobody}");

    let mut ann = join("/garden?name=ann").unwrap();
    run_until(&server, &mut chat, is_open);
    let mut bob = join("/garden?name=bob+b.").unwrap();
    run_until(&server, &mut chat, is_open);
    bob.send_fragments(1, &["h\u{fc}".as_bytes(), b"bsch"])
        .unwrap();
    run_until(&server, &mut chat, is_message);
    for line in ["welcome", "bob b. came", "bob b.: hübsch"] {
        assert_eq!(ann.read_message().unwrap(), Some(line.into()));
    }
    bob.ping(b"?").unwrap();
    let frames = [bob.read_frame(), bob.read_frame(), bob.read_frame()];
    let mut opcodes = frames.map(|frame| frame.unwrap().opcode);
    opcodes.sort_unstable();
    assert_eq!(opcodes, [1, 1, 10]);

    bob.send_text("/leave").unwrap();
    run_until(&server, &mut chat, is_message);
    assert_eq!(bob.read_message().unwrap(), None);
    drop(bob);
    run_until(&server, &mut chat, is_close);
    assert_eq!(ann.read_message().unwrap(), Some("bob b. left".into()));
    drop(ann);
    run_until(&server, &mut chat, is_close);
    assert_eq!(server.shutdown().threads_left, 0);
}

#[test]
fn a_connection_in_memory_is_as_its_hook_left_it() {
    struct User(&'static str);
    let accept = Accept::new().with_data(User("ann"));
    let accept = accept.with_subprotocol("feed.v1").unwrap();
    let (connection, sent) =
        testing::accepted(request("/feed"), accept.with_overflow(Overflow::Refuse));
    assert_eq!(connection.data::<User>().unwrap().0, "ann");
    assert_eq!(connection.protocol(), Some("feed.v1"));

    sent.stall();
    let mut taken = 0;
    let refused = loop {
        match connection.send(vec![7; 100_000]) {
            Ok(()) => taken += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(refused.kind(), SendErrorKind::Full);
    assert!(taken > 0 && sent.take_messages().is_empty());

    sent.resume();
    assert_eq!(connection.buffered_amount(), 0);
    assert_eq!(sent.take_messages().len(), taken);
    connection.send("there is room again").unwrap();

    sent.end();
    let refused = connection.send("too late").unwrap_err();
    assert_eq!(refused.kind(), SendErrorKind::Closed);
}
