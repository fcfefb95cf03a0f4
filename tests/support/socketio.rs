//! A server of Socket.IO that echoes, and tells the test why its clients left.

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::mpsc;

use wshub::ServerBuilder;
use wshub::socketio::{AnyArguments, Socket, SocketIo};

use super::serving::Serving;
use super::{Client, PATIENCE};

pub const WEBSOCKET: &str = "/socket.io/?EIO=4&transport=websocket";

/// A client after its handshake, in the main namespace.
pub fn join_websocket(addr: SocketAddr) -> Client {
    let mut client = Client::connect_with(addr, WEBSOCKET, "");
    let open = client.read_text();
    assert!(open.starts_with("0{\"sid\":\""), "{open}");
    client.send_text("40");
    let mut welcome = client.read_text();
    // Where pings come fast, a busy machine may ping first.
    while welcome == "2" {
        client.send_text("3");
        welcome = client.read_text();
    }
    assert!(welcome.starts_with("40{\"sid\":\""), "{welcome}");
    client
}

/// Runs an application on a server of its own.
pub fn serve<S: Send + 'static>(mut io: SocketIo<S>, builder: ServerBuilder) -> Serving {
    let builder = builder.socketio(&io, "/socket.io/");
    let server = builder.bind("127.0.0.1:0").unwrap();
    Serving::start(server, move |server| server.run(&mut io).unwrap())
}

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
        let serving = serve(io, builder);
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
