//! A chat over Socket.IO: rooms, names, who is typing, pictures. Its page runs the client that people know, from npm.
//!
//! `npm pack socket.io-client && tar xf socket.io-client-*.tgz package/dist/socket.io.min.js`
//! `cargo run --release --features socketio --example socketio -- 127.0.0.1:9001 package/dist/socket.io.min.js`,
//! then open http://127.0.0.1:9001/ twice.

mod support;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::{fs, io};

use serde_json::{Value, json};
use wshub::socketio::{Bytes, Refused, Socket, SocketIo};
use wshub::{Reject, Response, Server};

const PAGE: &str = concat!(
    include_str!("support/head.html"),
    include_str!("socketio.html")
);
/// Characters of a name, and of a room's.
const LONGEST_NAME: usize = 24;
/// Characters of what is said at once.
const LONGEST_TEXT: usize = 2_000;

/// The state of the application. Listeners run one at a time, so it needs no locks.
#[derive(Default)]
struct Chat {
    /// By the id of their socket.
    people: BTreeMap<String, Person>,
}

struct Person {
    name: String,
    room: String,
}

fn main() -> ExitCode {
    let about = "CLIENT is the file socket.io.min.js of npm's socket.io-client; without it the page says how to get it.\n";
    support::run_with("[ADDRESS [CLIENT]]", about, |addr| {
        let client = match std::env::args_os().nth(2) {
            Some(path) => Some(fs::read(&path).map_err(|error| {
                io::Error::other(format!(
                    "{}: {error}; give the file socket.io.min.js of npm's socket.io-client, or leave it out",
                    path.to_string_lossy()
                ))
            })?),
            None => None,
        };
        let mut io = chat();
        let server = Server::builder()
            .socketio(&io, "/socket.io/")
            // Where npm's own server has it.
            .mount(
                "/socket.io/socket.io.js",
                |_| Err(Reject::not_found()),
                move |_| client.as_deref().map_or(Response::not_found(), script),
            )
            .http(|request| match request.path() {
                "/" => Response::html(PAGE),
                _ => Response::not_found(),
            })
            .bind(addr)?;
        support::announce(server.local_addr()?, server.handle())?;
        // Ends when the server has shut down.
        server.run(&mut io).map_err(io::Error::other)
    })
}

fn script(client: &[u8]) -> Response {
    let typed = Response::ok().with_header("Content-Type", "text/javascript; charset=utf-8");
    typed.map_or_else(|_| Response::not_found(), |answer| answer.with_body(client))
}

fn chat() -> SocketIo<Chat> {
    let mut io = SocketIo::new(Chat::default());
    io.on_connect("/", |chat, socket, auth| {
        let person = Person {
            name: named(&auth["name"]).ok_or_else(|| Refused::new("say who you are"))?,
            room: named(&auth["room"]).ok_or_else(|| Refused::new("say which room"))?,
        };
        log::info!("{} joins {}", person.name, person.room);
        enter(chat, socket, person);
        Ok(())
    });
    io.on("/", "say", |chat, socket, text: String| {
        if text.is_empty() || text.chars().count() > LONGEST_TEXT {
            return Err(Refused::new(format!("1 to {LONGEST_TEXT} characters")));
        }
        let person = chat.person(socket)?;
        let others = socket.to(&person.room);
        // The answer, where the page asked for one: to how many it went.
        Ok(others.emit("said", (&person.name, text)))
    });
    io.on("/", "typing", |chat, socket, ()| {
        if let Ok(person) = chat.person(socket) {
            // To clients that can take it now: an old note is worth nothing.
            let others = socket.to(&person.room).volatile();
            others.emit("typing", &person.name);
        }
    });
    io.on("/", "picture", |chat, socket, picture: Bytes| {
        let person = chat.person(socket)?;
        let others = socket.to(&person.room);
        Ok::<_, Refused>(others.emit("picture", (&person.name, picture)))
    });
    io.on("/", "move", |chat, socket, room: Value| {
        let room = named(&room).ok_or_else(|| Refused::new("say which room"))?;
        let name = leave(chat, socket)
            .ok_or_else(|| Refused::new("you are in no room"))?
            .name;
        enter(chat, socket, Person { name, room });
        Ok::<_, Refused>(true)
    });
    io.on_disconnect("/", |chat, socket, reason| {
        if let Some(person) = leave(chat, socket) {
            log::info!("{} leaves: {reason}", person.name);
        }
    });
    io
}

impl Chat {
    fn person(&self, socket: &Socket<Chat>) -> Result<&Person, Refused> {
        let person = self.people.get(socket.id());
        person.ok_or_else(|| Refused::new("you are in no room"))
    }

    fn names(&self, room: &str) -> Vec<&str> {
        let there = self.people.values().filter(|person| person.room == room);
        let mut names: Vec<&str> = there.map(|person| &*person.name).collect();
        names.sort_unstable();
        names
    }
}

fn enter(chat: &mut Chat, socket: &Socket<Chat>, person: Person) {
    socket.join(&person.room);
    socket.to(&person.room).emit("joined", &person.name);
    let room = person.room.clone();
    chat.people.insert(socket.id().to_owned(), person);
    tell_who_is_here(chat, socket, &room);
}

fn leave(chat: &mut Chat, socket: &Socket<Chat>) -> Option<Person> {
    let person = chat.people.remove(socket.id())?;
    socket.leave(&person.room);
    socket.to(&person.room).emit("left", &person.name);
    tell_who_is_here(chat, socket, &person.room);
    Some(person)
}

fn tell_who_is_here(chat: &Chat, socket: &Socket<Chat>, room: &str) {
    let here = json!({ "room": room, "names": chat.names(room) });
    socket.emit("here", &here);
    socket.to(room).emit("here", &here);
}

/// A name that can be shown: some characters, none of them a control.
fn named(value: &Value) -> Option<String> {
    let name = value.as_str()?.trim();
    let length = name.chars().count();
    let fits = (1..=LONGEST_NAME).contains(&length) && !name.contains(char::is_control);
    fits.then(|| name.to_owned())
}
