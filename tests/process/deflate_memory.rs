//! What compression costs in memory: without context takeover, connections that wait for their next message hold
//! neither a compressor nor a decompressor.
//!
//! A test binary of its own, because it measures the process.
#![cfg(target_os = "linux")]

#[path = "../support/mod.rs"]
mod support;

use std::fs;
use std::net::TcpStream;

use flate2::{Compress, FlushCompress};
use support::Client;
use support::app::App;
use wshub::{Compression, Server};

const CONNECTIONS: usize = 200;
/// Resident bytes per connection beside those of a plain one: a decompressor is 47 KiB, a compressor 380.
const BOUND: usize = 10 << 10;
const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate\r\n";

fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.unwrap().split_whitespace().nth(1).unwrap();
    kib.parse::<usize>().unwrap() << 10
}

/// Connects more clients, has each send this and wait for the echo; what each of them costs.
fn each(
    app: &App,
    clients: &mut Vec<Client<TcpStream>>,
    headers: &str,
    (opcode, payload): (u8, &[u8]),
) -> usize {
    let before = resident();
    for _ in 0..CONNECTIONS {
        let mut client = Client::connect_with(app.addr, "/", headers);
        client.send(true, opcode, payload);
        assert_eq!(client.read_message().opcode, opcode);
        clients.push(client);
    }
    resident().saturating_sub(before) / CONNECTIONS
}

#[test]
fn x04_connections_that_wait_hold_no_codec() {
    let compression = Compression {
        threshold: 0,
        ..Compression::default()
    };
    let message = vec![b'x'; 2_000];
    let mut compressed = Vec::with_capacity(2_000);
    Compress::new(flate2::Compression::default(), false)
        .compress_vec(&message, &mut compressed, FlushCompress::Sync)
        .unwrap();
    compressed.truncate(compressed.len() - 4);
    let app = App::echo(Server::builder().compression(compression));
    // What the first ones cost is the process's.
    let mut clients = Vec::new();
    each(&app, &mut clients, OFFER, (0x42, &compressed));
    let plain = each(&app, &mut clients, "", (0x02, &message));
    let compressing = each(&app, &mut clients, OFFER, (0x42, &compressed));
    println!("{plain} bytes per connection, {compressing} with compression");
    assert!(
        compressing < plain + BOUND,
        "{plain} bytes per connection, {compressing} with compression"
    );
}
