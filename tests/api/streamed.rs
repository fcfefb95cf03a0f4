//! Bodies that are read while they are written.

use std::io::{self, Cursor, Read, Write};

use crate::support::app::App;
use crate::support::{dial, exchange, read_to_close, wait_until};
use wshub::{Response, Server};

/// Gives this many bytes, an odd number at a time, and then fails if it is to.
struct Source {
    left: usize,
    fails: bool,
}

impl Read for Source {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && self.fails {
            return Err(io::Error::other("the disk is gone"));
        }
        let read = self.left.min(room.len()).min(7001);
        room[..read].fill(b'x');
        self.left -= read;
        Ok(read)
    }
}

struct Panics;

impl Read for Panics {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        std::panic::resume_unwind(Box::new("on purpose"))
    }
}

struct Interrupted;

impl Read for Interrupted {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::Interrupted.into())
    }
}

const LENGTH: usize = 300_000;

fn app() -> App {
    App::echo(Server::builder().http(|request| {
        let source = |left, fails| Source { left, fails };
        let whole = Some(LENGTH as u64);
        match request.path() {
            "/length" => Response::ok().with_reader(source(LENGTH, false), whole),
            "/chunks" => Response::ok().with_reader(source(LENGTH, false), None),
            "/more" => Response::ok().with_reader(source(LENGTH + 10, false), whole),
            "/less" => Response::ok().with_reader(source(LENGTH - 10, false), whole),
            "/fails" => Response::ok().with_reader(source(1000, true), None),
            "/panics" => Response::ok().with_reader(Panics, None),
            "/interrupted" => Response::ok().with_reader(Interrupted, None),
            "/nothing" => Response::ok().with_reader(Cursor::new([]), None),
            // What is set last counts.
            "/replaced" => Response::ok().with_reader(Panics, None).with_body("text"),
            _ => Response::text("else"),
        }
    }))
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

fn last(path: &str) -> String {
    get(path).replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")
}

/// What chunks hold; panics where they are not whole.
fn unchunk(mut body: &str) -> (String, &str) {
    let mut all = String::new();
    loop {
        let (size, rest) = body.split_once("\r\n").expect("a size");
        let size = usize::from_str_radix(size, 16).expect("a size");
        all += &rest[..size];
        body = rest[size..].strip_prefix("\r\n").expect("an end");
        if size == 0 {
            return (all, body);
        }
    }
}

#[test]
fn a_reader_with_a_length_gives_as_much() {
    let app = app();
    for path in ["/length", "/more"] {
        let both = exchange(app.addr, get(path) + &last("/else"));
        let (head, rest) = both.split_once("\r\n\r\n").unwrap();
        assert!(
            head.contains(&format!("\r\nContent-Length: {LENGTH}")),
            "{head}"
        );
        assert!(rest[..LENGTH].bytes().all(|byte| byte == b'x'));
        assert!(
            rest[LENGTH..].starts_with("HTTP/1.1 200 "),
            "the next answer"
        );
    }
    assert!(exchange(app.addr, last("/replaced")).ends_with("\r\n\r\ntext"));
}

#[test]
fn a_reader_without_a_length_comes_in_chunks() {
    let app = app();
    for (path, length) in [("/chunks", LENGTH), ("/nothing", 0)] {
        let both = exchange(app.addr, get(path) + &last("/else"));
        let (head, rest) = both.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("\r\nTransfer-Encoding: chunked"), "{head}");
        assert!(!head.contains("Content-Length"), "{head}");
        let (body, next) = unchunk(rest);
        assert_eq!(body.len(), length);
        assert!(next.starts_with("HTTP/1.1 200 "), "{next}");
    }
    // HTTP/1.0 knows no chunks: the connection's end is the body's.
    let old = exchange(app.addr, get("/chunks").replace("1.1", "1.0"));
    let (head, body) = old.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("\r\nConnection: close"), "{head}");
    assert!(!head.contains("Transfer-Encoding"), "{head}");
    assert_eq!(body.len(), LENGTH);
}

#[test]
fn head_reads_nothing() {
    let app = app();
    for path in ["/length", "/panics"] {
        let head = get(path).replace("GET", "HEAD");
        let both = exchange(app.addr, head + &last("/else"));
        assert_eq!(both.matches("HTTP/1.1 200 ").count(), 2, "{both}");
    }
    assert_eq!(app.handle.stats().handler_failures, 0);
}

/// RFC 9112 8: a client can tell that the body is not whole.
#[test]
fn a_reader_that_breaks_cuts_the_answer_off() {
    let app = app();
    let paths = ["/less", "/panics", "/interrupted", "/fails"];
    for path in paths {
        let mut stream = dial(app.addr);
        stream.write_all(get(path).as_bytes()).unwrap();
        let mut answer = Vec::new();
        // A reset may overtake what was sent.
        let ended = stream.read_to_end(&mut answer);
        let answer = String::from_utf8(answer).unwrap();
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        assert!(!body.ends_with("0\r\n\r\n"), "{path} {ended:?}");
        assert!(body.len() < LENGTH, "{path} {ended:?}");
    }
    let failures = || app.handle.stats().handler_failures;
    wait_until("all are counted", || failures() >= paths.len() as u64);
    let mut stream = dial(app.addr);
    stream.write_all(last("/else").as_bytes()).unwrap();
    assert!(read_to_close(&mut stream).ends_with(b"else"));
    assert_eq!(failures(), paths.len() as u64, "each is counted once");
}
