//! A server of Socket.IO that echoes, and tells the test why its clients left.

use std::ops::Deref;
use std::sync::mpsc;

use wshub::socketio::{AnyArguments, Socket, SocketIo};
use wshub::{Server, ServerBuilder};

use super::PATIENCE;
use super::serving::Serving;

pub struct SocketIoServer {
    serving: Serving,
    left: mpsc::Receiver<String>,
}

impl SocketIoServer {
    /// Adds to `io` what echoes.
    pub fn start(mut io: SocketIo<()>, builder: ServerBuilder) -> SocketIoServer {
        io.on("/", "echo", |_, socket: &Socket<()>, any: AnyArguments| {
            socket.emit("echo", &any);
            Ok(any)
        });
        let (sender, left) = mpsc::channel();
        io.on_disconnect("/", move |_, _, reason| {
            let _ = sender.send(reason.to_string());
        });
        let builder = builder.socketio(&io, "/socket.io/");
        let serving = Serving::start(
            builder.bind("127.0.0.1:0").unwrap(),
            move |server: Server| {
                server.run(&mut io).unwrap();
            },
        );
        SocketIoServer { serving, left }
    }

    /// Why the next client left.
    pub fn left(&self) -> String {
        self.left.recv_timeout(PATIENCE).unwrap()
    }

    pub fn has_lost_another(&self) -> bool {
        self.left.try_recv().is_ok()
    }
}

impl Deref for SocketIoServer {
    type Target = Serving;

    fn deref(&self) -> &Serving {
        &self.serving
    }
}
