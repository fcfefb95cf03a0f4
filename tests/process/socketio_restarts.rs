//! One application of Socket.IO that is run by one server after another: no thread of those before is left.
//!
//! A test binary of its own, because it counts the threads of the process.
#![cfg(target_os = "linux")]

#[path = "../support/mod.rs"]
mod support;

use std::thread;

use support::{AtEnd, Client, threads_and_descriptors, wait_until};
use wshub::Server;
use wshub::socketio::SocketIo;

#[test]
fn servers_that_follow_each_other_leave_no_thread() {
    let mut io = SocketIo::new(());
    let (before, _) = threads_and_descriptors();
    for _ in 0..10 {
        let server = Server::builder()
            .socketio(&io, "/socket.io/")
            .bind("127.0.0.1:0")
            .unwrap();
        let (addr, handle) = (server.local_addr().unwrap(), server.handle());
        let client = thread::spawn(move || {
            let _over = AtEnd(|| handle.shutdown());
            let path = "/socket.io/?EIO=4&transport=websocket";
            let mut client = Client::connect_with(addr, path, "");
            client.send_text("40");
            client.read_message();
            assert!(client.read_message().text().starts_with("40{"));
            handle.shutdown();
            assert_eq!(client.read_message().opcode, 8);
        });
        server.run(&mut io).unwrap();
        client.join().unwrap();
    }
    wait_until("the end of all threads", || {
        threads_and_descriptors().0 <= before
    });
}
