//! `bridge ADDR REDIS CHANNEL`: a server of Socket.IO with a bridge to the processes of Python on this channel, for the judges in
//! `tests/interop/run`; its clients say what it does, beside each event.
//!
//! Prints `listening on ws://ADDR/` when it accepts; SIGTERM and SIGINT end it with exit status 0.

use std::error::Error;
use std::time::Duration;

use serde_json::Value;
use wshub::socketio::bridge::Bridge;
use wshub::socketio::{AnyArguments, Bytes, Emitter, Socket, SocketIo};
use wshub::{Redis, Server};
use wshub_interop::serve;

type Io = Socket<()>;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [addr, redis, channel] = &args[..] else {
        return Err("usage: bridge ADDR REDIS CHANNEL".into());
    };
    let mut io = SocketIo::new(());
    listen(&mut io);
    let bridge = Bridge::builder()
        .channel(channel)
        .join(&io, &Redis::new(redis)?)?;
    // Whether it is attached, and what it counts: attached, received, refused, published, unsent.
    let told = bridge.clone();
    io.on("/", "state", move |_, _: &Io, ()| {
        let stats = told.stats();
        Ok((
            told.is_attached(),
            stats.received,
            stats.refused,
            stats.published,
            stats.unsent,
        ))
    });
    let builder = Server::builder().socketio(&io, "/socket.io/");
    serve(builder, addr, &mut io)
}

/// To all, or to these rooms; not to these sockets.
fn audience(socket: &Io, rooms: Vec<String>, skipped: Vec<String>) -> Emitter {
    let all = rooms
        .into_iter()
        .fold(socket.all(), |all, room| all.to(room));
    skipped.into_iter().fold(all, |all, id| all.except(id))
}

fn listen(io: &mut SocketIo<()>) {
    io.on("/", "join", |_, socket: &Io, room: String| {
        Ok(socket.join(room))
    });
    io.on("/", "rooms", |_, socket: &Io, ()| Ok(socket.rooms()));
    io.on(
        "/",
        "emit",
        |_, socket: &Io, (rooms, skipped, data): (Vec<String>, Vec<String>, Value)| {
            audience(socket, rooms, skipped).emit("from wshub", data);
        },
    );
    io.on("/", "count", |_, socket: &Io, most: u32| {
        let all = socket.all();
        (0..most).for_each(|number| _ = all.emit("number", number));
    });
    io.on(
        "/",
        "send picture",
        |_, socket: &Io, (picture, text): (Bytes, String)| {
            socket.all().emit("picture", (picture, text));
        },
    );
    // Asks a socket of whichever process, and tells what it answered, or why it did not.
    io.on(
        "/",
        "ask",
        |_, socket: &Io, (id, timeout): (String, u64)| {
            let asker = socket.clone();
            let timeout = Duration::from_millis(timeout);
            let asked = socket.all().to(id);
            asked.emit_with_ack("question", 21, timeout, move |answers| {
                let values = answers.answers.iter().map(|it| it.get::<AnyArguments>());
                let values: Vec<Vec<Value>> = values.flatten().map(|it| it.values).collect();
                let error = answers.error.map(|error| error.to_string());
                asker.emit("answered", (values, error));
            });
        },
    );
    io.on(
        "/",
        "enter",
        |_, socket: &Io, (id, room): (String, String)| socket.all().to(id).join_all(&room),
    );
    io.on(
        "/",
        "leave",
        |_, socket: &Io, (id, room): (String, String)| socket.all().to(id).leave_all(&room),
    );
    io.on("/", "close room", |_, socket: &Io, room: String| {
        socket.all().to(room.clone()).leave_all(&room)
    });
    io.on("/", "disconnect one", |_, socket: &Io, id: String| {
        socket.all().to(id).disconnect_all()
    });
}
