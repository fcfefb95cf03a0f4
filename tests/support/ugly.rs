//! Clients that come and go in every way but the polite one.

use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpStream};

use super::{dial, frame, read_head, read_to_close, reset, upgrade};

/// How many ways there are.
pub const WAYS: usize = 16;
/// The first so many expect no answer, so that they may come to a server that speaks TLS.
pub const WITHOUT_ANSWER: usize = 5;

/// One client, in the way that its number chooses.
pub fn come_and_go(addr: SocketAddr, number: usize) {
    match number % WAYS {
        0 => reset(dial(addr)),
        1 => reset(sent(addr, "GET / HTTP/1.1\r\nHost: loc")),
        2 => reset(sent(addr, "no HTTP at all\r\n")),
        3 => reset(requested(addr)),
        // What was received and not read makes the system reset by itself.
        4 => drop(requested(addr).peek(&mut [0])),
        way => upgraded(addr, way),
    }
}

/// A client that has its 101.
fn upgraded(addr: SocketAddr, way: usize) {
    let mut stream = requested(addr);
    let head = read_head(&mut stream).unwrap();
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    let frames = match way {
        5 | 6 => vec![],
        7 | 8 => frame(false, 1, b"half")[..7].to_vec(),
        9 => [frame(true, 2, &[0; 70_000]), frame(true, 9, b"ping")].concat(),
        10 => frame(true, 8, b"\x03\xe8"),
        11 => frame(false, 1, b"the first of two"),
        12 => frame(true, 9, b"ping").repeat(500),
        // Reserved bits, and text that is none: the server closes.
        13 => vec![0xf1, 0x80, 0, 0, 0, 0],
        14 => frame(true, 1, b"\xff"),
        _ => frame(true, 1, b"an echo that nobody reads").repeat(100),
    };
    stream.write_all(&frames).unwrap();
    match way {
        6 | 8 | 11 => {
            stream.shutdown(Shutdown::Write).unwrap();
            read_to_close(&mut stream);
        }
        13 | 14 => drop(read_to_close(&mut stream)),
        12 | 15 => drop(stream),
        _ => reset(stream),
    }
}

fn requested(addr: SocketAddr) -> TcpStream {
    sent(addr, &upgrade("localhost", "/", ""))
}

fn sent(addr: SocketAddr, bytes: &str) -> TcpStream {
    let mut stream = dial(addr);
    stream.write_all(bytes.as_bytes()).unwrap();
    stream
}
