//! Servers of tests: one that runs on a thread of its own until the test is through with it, one with much room; and
//! what closures do there.

use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use super::{Client, PATIENCE, allow_descriptors, wait_until};
use wshub::{Connection, HandlerResult, Limits, Server, ServerBuilder, ServerHandle, Session};

/// A server for so many connections, and as many descriptors for both ends of them as this process may have.
pub fn server_with_room(max_connections: usize) -> Server {
    allow_descriptors(max_connections + 200);
    let limits = Limits {
        max_connections,
        ..Limits::default()
    };
    let server = Server::builder().limits(limits);
    server.bind("127.0.0.1:0").unwrap()
}

/// A closure that sends every message back.
pub fn echo(mut ws: Session<'_>) -> HandlerResult {
    while let Some(message) = ws.read()? {
        ws.send(message)?;
    }
    Ok(())
}

/// A server, a client that never reads, and its connection, whose closure waits for it in `send`.
pub fn blocked_in_send(builder: ServerBuilder) -> (ServerHandle, Client, Connection) {
    let (open, opened) = mpsc::channel();
    let handle = builder
        .serve("127.0.0.1:0", move |mut ws| {
            open.send(ws.connection().clone()).unwrap();
            while ws.send(vec![0; 1 << 20]).is_ok() {}
            Ok(())
        })
        .unwrap();
    let client = Client::connect(handle.local_addr().unwrap());
    let connection = opened.recv_timeout(PATIENCE).unwrap();
    wait_until("a send waits", || connection.buffered_amount() > 0);
    (handle, client, connection)
}

pub struct Serving {
    pub addr: SocketAddr,
    pub handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

impl Serving {
    pub fn start(server: Server, run: impl FnOnce(Server) + Send + 'static) -> Serving {
        let (addr, handle) = (server.local_addr().unwrap(), server.handle());
        Serving {
            addr,
            handle,
            thread: Some(thread::spawn(move || run(server))),
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.handle.shutdown();
        if let Some(thread) = self.thread.take() {
            if thread.join().is_err() && !thread::panicking() {
                panic!("the server's thread panicked");
            }
        }
    }
}
