//! A server whose application thread tells the test what it saw.

use std::ops::Deref;
use std::sync::mpsc::{Receiver, channel};

use wshub::{Connection, Event, Message, ServerBuilder};

use super::PATIENCE;
use super::serving::Serving;

pub struct App {
    serving: Serving,
    seen: Receiver<(u64, String)>,
}

impl App {
    pub fn echo(builder: ServerBuilder) -> App {
        App::start(builder, |connection, message| {
            // The peer may have left meanwhile.
            let _ = connection.send(message);
        })
    }

    pub fn start(
        builder: ServerBuilder,
        mut on_message: impl FnMut(&Connection, Message) + Send + 'static,
    ) -> App {
        let server = builder.bind("127.0.0.1:0").unwrap();
        let (tell, seen) = channel();
        let serving = Serving::start(server, move |server| {
            for event in server.events() {
                // Told before it is answered, so that a client that has its answer finds it told.
                let _ = tell.send((event.connection().id(), describe(&event)));
                if let Event::Message(connection, message) = event {
                    on_message(&connection, message);
                }
            }
        });
        App { serving, seen }
    }

    /// The next event: the connection's id and, for example, `open`, `text hello`, `binary 3 bytes`,
    /// `error text was not valid UTF-8`, `close 1000 bye clean`.
    pub fn next(&self) -> (u64, String) {
        self.seen.recv_timeout(PATIENCE).expect("an event")
    }

    /// Takes the next events, which must be these.
    pub fn expect(&self, events: &[&str]) {
        for event in events {
            assert_eq!(self.next().1, *event);
        }
    }

    /// True while no event waits.
    pub fn is_quiet(&self) -> bool {
        self.seen.try_recv().is_err()
    }
}

impl Deref for App {
    type Target = Serving;

    fn deref(&self) -> &Serving {
        &self.serving
    }
}

fn describe(event: &Event) -> String {
    match event {
        Event::Open(_) => "open".into(),
        Event::Message(_, Message::Text(text)) => format!("text {text}"),
        Event::Message(_, Message::Binary(bytes)) => format!("binary {} bytes", bytes.len()),
        Event::Error(_, error) => format!("error {error}"),
        Event::Close(_, close) => {
            let clean = if close.was_clean { "clean" } else { "unclean" };
            format!("close {} {} {clean}", close.code, close.reason)
        }
        other => panic!("{other:?}"),
    }
}
