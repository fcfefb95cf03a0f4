//! A message that is sent while it is made, or read while it arrives, takes the same memory however long it is.
//!
//! A test binary of its own, because it measures the process. 32 MiB each way, or what `WSHUB_MIB` says.
#![cfg(target_os = "linux")]

#[path = "../support/mod.rs"]
mod support;

use std::fs;
use std::io::{self, Read};
use std::net::{SocketAddr, TcpStream};
use std::thread;

use support::PATIENCE;
use wshub::testing::Client;

/// By so much the process may grow while the message passes.
const BOUND: usize = 1 << 20;
const PIECE: usize = 64 << 10;

fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.unwrap().split_whitespace().nth(1).unwrap();
    kib.parse::<usize>().unwrap() << 10
}

fn len() -> u64 {
    let mib: u64 = std::env::var("WSHUB_MIB").map_or(32, |mib| mib.parse().expect("a number"));
    mib << 20
}

/// Passes a message of so many bytes each way; by how much the process grew on either.
type ThereAndBack = fn(SocketAddr, u64) -> (usize, usize);

/// Sends one message in fragments, and reads the one that comes back.
fn there_and_back(addr: SocketAddr, len: u64) -> (usize, usize) {
    let stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    let mut client = Client::open(stream, "/").unwrap();
    let piece = vec![7; PIECE];
    let mut grown = [0; 2];
    let before = resident();
    for n in 0..len / PIECE as u64 {
        let opcode = if n == 0 { 2 } else { 0 };
        client.send_frame(false, opcode, &piece).unwrap();
    }
    client.send_frame(true, 0, b"").unwrap();
    grown[0] = resident().saturating_sub(before);
    let (before, mut read) = (resident(), 0);
    loop {
        let frame = client.read_frame().unwrap();
        read += frame.payload.len() as u64;
        if frame.fin {
            break;
        }
    }
    grown[1] = resident().saturating_sub(before);
    assert_eq!(read, len);
    (grown[0], grown[1])
}

/// The same by the crate's own client.
#[cfg(feature = "client")]
fn by_its_client(addr: SocketAddr, len: u64) -> (usize, usize) {
    let mut client = wshub::connect(format!("ws://{addr}/").as_str()).unwrap();
    let before = resident();
    client.send_stream(io::repeat(7).take(len)).unwrap();
    let there = resident().saturating_sub(before);
    let before = resident();
    let mut back = client.read_stream(u64::MAX).unwrap().expect("a message");
    assert_eq!(io::copy(&mut back, &mut io::sink()).unwrap(), len);
    (there, resident().saturating_sub(before))
}

#[test]
fn a_message_of_any_length_passes_in_the_same_memory() {
    let handle = wshub::serve("127.0.0.1:0", |mut ws| {
        while let Some(mut upload) = ws.read_stream(u64::MAX)? {
            let len = io::copy(&mut upload, &mut io::sink())?;
            ws.send_stream(io::repeat(8).take(len))?;
        }
        Ok(())
    })
    .unwrap();
    let addr = handle.local_addr().unwrap();
    let clients: &[ThereAndBack] = &[
        there_and_back,
        #[cfg(feature = "client")]
        by_its_client,
    ];
    for client in clients {
        // What buffers, threads and sockets take at all, and the heap keeps.
        let first = thread::spawn(move || client(addr, 16 << 20));
        first.join().unwrap();
        let measured = thread::spawn(move || client(addr, len()));
        let (there, back) = measured.join().unwrap();
        println!(
            "{} MiB: the process grew by {} KiB on the way there, by {} KiB on the way back",
            len() >> 20,
            there >> 10,
            back >> 10
        );
        assert!(there < BOUND && back < BOUND, "{there} and {back} bytes");
    }
    handle.shutdown();
    handle.wait();
}
