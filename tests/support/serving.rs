//! A server that runs on a thread of its own, until the test is through with it.

use std::net::SocketAddr;
use std::thread::{self, JoinHandle};

use wshub::{Server, ServerHandle};

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
