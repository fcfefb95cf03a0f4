//! `socketio ADDR [PING_MS [recovery|suite|cluster [REDIS]]]`: a server of Socket.IO for the judges in `tests/interop/run`; what each event does is said
//! beside it. PING_MS: the interval of the heartbeat, whose timeout is five times that; `recovery`: clients that come back within a minute
//! are the same as before; `suite`: a client has five intervals to join a namespace; `cluster`: no more than
//! with a Redis: it is one of the servers that this connects.
//!
//! Prints `listening on ws://ADDR/` when it accepts, then who left and why; SIGTERM and SIGINT end it with exit status 0.

use std::error::Error;
use std::time::Duration;

use serde_json::{Value, json};
use wshub::socketio::{Ack, AllAnswers, AnyArguments, Bytes, Limits, Refused, Socket, SocketIo};
use wshub::{Cluster, Redis, Server};
use wshub_interop::listen_at;

type Io = Socket<()>;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let mut limits = Limits::default();
    let addr = args
        .first()
        .ok_or("usage: socketio ADDR [PING_MS [recovery|suite|cluster [REDIS]]]")?;
    if let Some(ping) = args.get(1) {
        limits.ping_interval = Duration::from_millis(ping.parse()?);
        limits.ping_timeout = 5 * limits.ping_interval;
    }
    match args.get(2).map(String::as_str) {
        Some("recovery") => limits.recovery_window = Some(Duration::from_secs(60)),
        Some("suite") => limits.connect_timeout = 5 * limits.ping_interval,
        _ => {}
    }
    let mut io = SocketIo::with_limits((), limits);
    listen(&mut io, "/");
    listen(&mut io, "/custom");
    io.on_connect("/admin", |_, socket: &Io, auth| {
        match auth["token"].as_str() {
            Some("sesame") => {
                socket.emit("early", "sent before the welcome");
                Ok(())
            }
            _ => Err(Refused::new("who are you?").with_data(json!({"hint": "sesame"}))),
        }
    });
    let server = listen_at(addr, Server::builder().socketio(&io, "/socket.io/"))?;
    if let Some(redis) = args.get(3) {
        io.adapter(&Cluster::join(&server, Redis::new(redis)?)?);
    }
    server.run(&mut io)?;
    Ok(())
}

fn listen(io: &mut SocketIo<()>, namespace: &str) {
    // What the client sent for its proof comes back.
    io.on_connect(namespace, |_, socket: &Io, auth| {
        socket.emit("auth", auth);
        Ok(())
    });
    // The arguments come back as an event and as the answer.
    io.on(namespace, "echo", |_, socket: &Io, any: AnyArguments| {
        socket.emit("echo", &any);
        Ok(any)
    });
    // As the protocol's own test suite has it.
    io.on(namespace, "message", |_, socket: &Io, any: AnyArguments| {
        socket.emit("message-back", &any)
    });
    io.on(
        namespace,
        "message-with-ack",
        |_, _: &Io, any: AnyArguments| Ok(any),
    );
    // Binary data and text come back, the data twice.
    io.on(
        namespace,
        "binary",
        |_, socket: &Io, (data, text): (Bytes, String)| {
            socket.emit("binary", (&data, &text, [&data]));
            Ok((data, text))
        },
    );
    io.on(namespace, "join", |_, socket: &Io, room: String| {
        socket.join(room);
    });
    io.on(namespace, "leave", |_, socket: &Io, room: String| {
        socket.leave(room);
    });
    // To the others of a room.
    io.on(
        namespace,
        "say",
        |_, socket: &Io, (room, text): (String, String)| {
            Ok(socket.to(room).emit("said", (socket.id(), text)))
        },
    );
    // So many numbers to everybody, in order.
    io.on(namespace, "count", |_, socket: &Io, most: u32| {
        (0..most).for_each(|number| _ = socket.all().emit("number", number));
    });
    // Asks back, and tells the answer or why there is none.
    io.on(namespace, "ask me", |_, socket: &Io, timeout: u64| {
        let asker = socket.clone();
        let timeout = Duration::from_millis(timeout);
        socket.emit_with_ack("question", 21, timeout, move |_, answer| match answer {
            Ok(answer) => asker.emit("answered", answer.get::<Value>().unwrap_or_default()),
            Err(error) => asker.emit("unanswered", error.to_string()),
        });
    });
    // Asks everybody, and answers what came and why one is missing.
    io.on(namespace, "ask all", |_, socket: &Io, ack: Ack| {
        let timeout = Duration::from_secs(5);
        let then = move |all: AllAnswers| {
            let answers: Vec<_> = all
                .answers
                .iter()
                .filter_map(|it| it.get::<Value>().ok())
                .collect();
            let error = all.error.map(|error| error.to_string());
            ack.send(json!({"answers": answers, "error": error}));
        };
        socket.all().emit_with_ack("question", 21, timeout, then);
    });
    io.on(namespace, "kick the others", |_, socket: &Io, ()| {
        socket.broadcast().disconnect_all()
    });
    io.on(namespace, "number", |_, _: &Io, number: i32| Ok(number));
    io.on(namespace, "kick me", |_, socket: &Io, ()| {
        socket.disconnect()
    });
    io.on(namespace, "close me", |_, socket: &Io, ()| socket.close());
    let told = namespace.to_owned();
    io.on_disconnect(namespace, move |_, _, reason| {
        println!("{told} left: {reason}")
    });
}
