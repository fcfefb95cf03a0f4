//! `proxied ADDR PING_MS`: a server behind a proxy, for `tests/interop/proxies`. It trusts the proxy at 127.0.0.1.
//!
//! Plain requests: a page at `/`, 50 MB at `/large`, the address of the client at `/whoami`, the length of a body at
//! `/body`, the counters at `/metrics`. WebSockets are answered with each message, on `/whoami` with the address of the
//! client; on `/flood` the first message brings 32 MiB, on `/close/CODE` it is the reason to close with CODE. PING_MS: the
//! interval of pings, 0 for none.
//! Prints `listening on ws://ADDR/` when it accepts, then how each connection ended; SIGTERM ends it with exit status 0.

use std::error::Error;
use std::io::{self, Read};
use std::thread;
use std::time::Duration;

use wshub::{Connection, Event, HookRequest, Limits, Message, Peer, Response, Server};

const NAME: &str = "device.example.com";
const PAGE: &str = "<!doctype html><title>device</title><script>new WebSocket(location.href.replace('http', 'ws'))</script>";
const LARGE: u64 = 50_000_000;
const FLOOD: usize = 512;
/// For a client that does not read.
const PATIENCE: Duration = Duration::from_secs(2);

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [addr, ping] = args.as_slice() else {
        return Err("usage: proxied ADDR PING_MS".into());
    };
    let ping = Duration::from_millis(ping.parse()?);
    let limits = Limits {
        max_body: 4 << 20,
        ping_interval: Some(ping).filter(|ping| !ping.is_zero()),
        ..Limits::default()
    };
    let server = Server::builder()
        .limits(limits)
        .hosts([NAME])
        .trusted_proxies(["127.0.0.1"])
        .metrics("/metrics")
        .http(answer)
        .bind(addr.as_str())?;
    let handle = server.handle();
    ctrlc::set_handler(move || handle.shutdown())?;
    println!("listening on ws://{}/", server.local_addr()?);
    for event in server.events() {
        match event {
            Event::Message(connection, message) => echo(&connection, message)?,
            Event::Error(_, error) => println!("error: {error}"),
            Event::Close(connection, close) => {
                let path = connection.request().path();
                println!("close {path} {} clean={}", close.code, close.was_clean);
            }
            _ => {}
        }
    }
    Ok(())
}

fn answer(request: &HookRequest<'_>) -> Response {
    match request.path() {
        "/" => Response::html(PAGE),
        "/large" => Response::ok().with_reader(io::repeat(b'w').take(LARGE), Some(LARGE)),
        "/whoami" => Response::text(client(request.peer())),
        "/body" => Response::text(request.body().len().to_string()),
        _ => Response::not_found(),
    }
}

fn echo(connection: &Connection, message: Message) -> io::Result<()> {
    match connection.request().path() {
        "/flood" => {
            let own = connection.clone();
            thread::Builder::new().spawn(move || flood(&own))?;
        }
        // The client may have left meanwhile: its Close is on the way.
        "/whoami" => drop(connection.send(client(connection.request().peer()))),
        path => match path.strip_prefix("/close/").map(str::parse::<u16>) {
            Some(Ok(code)) => {
                let _ = connection.close(code, message.as_text().unwrap_or_default());
            }
            _ => drop(connection.send(message)),
        },
    }
    Ok(())
}

/// As fast as the client takes it, and no longer than that.
fn flood(connection: &Connection) {
    for number in 0..FLOOD {
        let chunk = vec![number as u8; 64 << 10];
        if let Err(error) = connection.send_timeout(chunk, PATIENCE) {
            println!("flood ended: {:?}", error.kind());
            return connection.terminate();
        }
    }
}

fn client(peer: Peer) -> String {
    peer.ip()
        .map_or_else(|| peer.to_string(), |ip| ip.to_string())
}
