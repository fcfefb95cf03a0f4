//! `limits thread|epoll|fan [MICROSECONDS]`: bytes in, bytes out after a fake upgrade; what sockets and threads allow at
//! all. With epoll each read may cost some microseconds of work.
//!
//! The answer to the upgrade is that of RFC 6455's sample nonce, which the load generator sends. It also sends its frames
//! unmasked here, so that their bytes are a valid answer.

mod epoll;
mod fan;
mod thread;

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

const ANSWER: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
/// Bytes of one read; a thread has a buffer of its own.
const READ: usize = 16 << 10;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("listening on ws://{}/", listener.local_addr()?);
    match args[..] {
        ["thread"] => thread::serve(listener),
        ["fan"] => fan::serve(listener),
        ["epoll"] => epoll::serve(listener, Duration::ZERO),
        ["epoll", work] => {
            let work = work.parse().map_err(Error::other)?;
            epoll::serve(listener, Duration::from_micros(work))
        }
        _ => Err(Error::other(
            "usage: limits thread|epoll|fan [MICROSECONDS]",
        )),
    }
}

/// Reads the request up to its empty line and answers it.
fn upgrade(mut stream: &TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    let (mut head, mut have) = ([0; 2048], 0);
    while !head[..have].ends_with(b"\r\n\r\n") {
        match stream.read(&mut head[have..])? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            n => have += n,
        }
    }
    stream.write_all(ANSWER)
}

/// Runs `serve` for every connection on a thread of its own.
fn each_on_its_thread(
    listener: TcpListener,
    serve: impl Fn(TcpStream) -> Result<()> + Clone + Send + 'static,
) -> Result<()> {
    loop {
        let (stream, _) = listener.accept()?;
        let serve = serve.clone();
        std::thread::Builder::new()
            .stack_size(64 << 10)
            .spawn(move || {
                // A connection ends by an error or at its end; neither matters to the others.
                let _ = serve(stream);
            })?;
    }
}
