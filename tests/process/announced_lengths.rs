//! A length that a header claims costs no memory: a buffer grows with the bytes that have come.

#[path = "../support/mod.rs"]
mod support;

use std::io::Write;

use support::{Client, frame, serving};

const CLIENTS: usize = 300;
const ANNOUNCED: usize = 1 << 20;

#[test]
fn f06_cve_2022_35922_announced_lengths_cost_nothing() {
    let handle = wshub::serve("127.0.0.1:0", serving::echo).unwrap();
    let addr = handle.local_addr().unwrap();
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| Client::connect(addr)).collect();
    clients.iter_mut().for_each(|client| {
        client.send_text("open");
        assert_eq!(client.read().text(), "open");
    });

    let message = frame(true, 2, &[0; ANNOUNCED]);
    let before = private_bytes();
    for client in &mut clients {
        // The pong comes when the header after the ping has been read.
        let bytes = [&frame(true, 9, b"")[..], &message[..15]].concat();
        client.stream.write_all(&bytes).unwrap();
    }
    for client in &mut clients {
        assert_eq!(client.read().opcode, 10);
    }
    let grown = private_bytes().saturating_sub(before);
    let announced = CLIENTS * ANNOUNCED;
    assert!(
        grown < announced / 10,
        "{grown} bytes for {announced} announced"
    );

    // It was no idle threat.
    let client = &mut clients[0];
    client.stream.write_all(&message[15..]).unwrap();
    assert_eq!(client.read().payload.len(), ANNOUNCED);
    drop(clients);
    handle.shutdown();
    assert_eq!(handle.wait().threads_left, 0);
}

/// What the process may write to, touched or not.
fn private_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmData:"));
    let kilobytes = line.unwrap().trim().trim_end_matches(" kB");
    kilobytes.parse::<usize>().unwrap() << 10
}
