//! A `Backplane` of your own for `Cluster`, over plain TCP: the first of the programs carries for all of them.
//!
//! `cargo run --release --features redis --example backplane -- 127.0.0.1:9001 127.0.0.1:9100`, and once more with
//! another first address: a message to one server goes to the clients of both.

mod support;

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use wshub::{
    Backplane, BackplaneError, Cluster, Event, Incoming, Publisher, RecvError, Server, Subscriber,
};

const TIMEOUT: Duration = Duration::from_secs(2);
/// Bytes of a frame: a message of the default `max_message`, and its head.
const MOST: u32 = 2 << 20;

/// Where the carrier is. A publisher says `P` and then frames, each answered by one byte; a subscriber says `S`, and
/// gets one byte and then frames. A frame goes after its length, four bytes.
struct Tcp(String);

impl Backplane for Tcp {
    fn split(self) -> (Box<dyn Publisher>, Box<dyn Subscriber>) {
        (Box::new(Outward(self.0.clone(), None)), Box::new(self))
    }
}

fn connect(addr: &str, role: u8) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(addr)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    stream.write_all(&[role])?;
    Ok(stream)
}

fn write_frame(mut stream: &TcpStream, frame: &[u8]) -> io::Result<()> {
    let len = (frame.len() as u32).to_be_bytes();
    stream.write_all(&[&len, frame].concat())
}

fn read_frame(mut stream: &TcpStream) -> io::Result<Vec<u8>> {
    let mut len = [0; 4];
    stream.read_exact(&mut len)?;
    let len = u32::from_be_bytes(len);
    if len > MOST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut frame = vec![0; len as usize];
    stream.read_exact(&mut frame)?;
    Ok(frame)
}

struct Outward(String, Option<TcpStream>);

impl Publisher for Outward {
    fn publish(&mut self, frames: &[&[u8]]) -> Result<(), BackplaneError> {
        // Kept only while all goes well: the next call starts anew.
        let kept = self.1.take().map_or_else(|| connect(&self.0, b'P'), Ok);
        let mut stream = kept?;
        for frame in frames {
            write_frame(&stream, frame)?;
            stream.read_exact(&mut [0])?;
        }
        self.1 = Some(stream);
        Ok(())
    }
}

impl Subscriber for Tcp {
    fn receive(&mut self, incoming: &mut Incoming<'_>) -> Result<(), BackplaneError> {
        let mut stream = connect(&self.0, b'S')?;
        stream.read_exact(&mut [0]).map_err(|error| {
            let addr = &self.0;
            BackplaneError::new(format!(
                "no carrier answers at {addr} ({error}); give another CARRIER"
            ))
        })?;
        incoming.attached();
        while let Some(patience) = incoming.patience() {
            stream.set_read_timeout(Some(patience))?;
            match stream.peek(&mut [0]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Ok(0) => return Err(BackplaneError::new("the carrier has ended")),
                _ => incoming.take(&read_frame(&stream)?),
            }
        }
        Ok(())
    }
}

/// One thread for each publisher hands its frames to all subscribers; under the lock, so that they have one order.
fn carry(listener: TcpListener) {
    let subscribers = Arc::new(Mutex::new(Vec::<TcpStream>::new()));
    for mut stream in listener.incoming().flatten() {
        let subscribers = subscribers.clone();
        thread::spawn(move || -> io::Result<()> {
            let mut role = [0];
            stream.read_exact(&mut role)?;
            stream.set_write_timeout(Some(TIMEOUT))?;
            let all = || subscribers.lock().unwrap_or_else(PoisonError::into_inner);
            if role == *b"S" {
                stream.write_all(b"+")?;
                all().push(stream);
                return Ok(());
            }
            loop {
                let frame = read_frame(&stream)?;
                all().retain(|subscriber| write_frame(subscriber, &frame).is_ok());
                stream.write_all(b"+")?;
            }
        });
    }
}

fn main() -> ExitCode {
    let about = "CARRIER is 127.0.0.1:9100 by default; the first program that listens there carries for all.\n";
    support::run_with("[ADDRESS [CARRIER]]", about, |addr| {
        let carrier = std::env::args().nth(2);
        let carrier = carrier.unwrap_or_else(|| "127.0.0.1:9100".to_owned());
        match TcpListener::bind(&carrier) {
            Ok(listener) => drop(thread::spawn(move || carry(listener))),
            // Another of these programs carries, on this machine or elsewhere.
            Err(error) if carrier.to_socket_addrs().is_ok() => log::info!("{carrier}: {error}"),
            Err(error) => {
                let text = format!("{carrier}: {error}; give CARRIER as in 127.0.0.1:9100");
                return Err(io::Error::other(text));
            }
        }
        let server = Server::bind(addr)?;
        let cluster = Cluster::join(&server, Tcp(carrier))?;
        support::announce(server.local_addr()?, server.handle())?;
        let mut events = server.events();
        loop {
            match events.recv() {
                Ok(Event::Message(_, message)) => drop(cluster.broadcast(message)),
                Ok(_) => {}
                Err(RecvError::Woken) => cluster.events().for_each(|it| log::info!("{it:?}")),
                Err(_) => return Ok(()),
            }
        }
    })
}
