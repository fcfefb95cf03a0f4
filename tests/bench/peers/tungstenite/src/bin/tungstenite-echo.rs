//! Echo with one thread per connection.

use std::net::{TcpListener, TcpStream};
use std::{io, thread};
use tungstenite::{Error, Message, accept};

fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("listening on ws://{}/", listener.local_addr()?);
    for stream in listener.incoming() {
        let stream = stream?;
        thread::spawn(move || echo(stream));
    }
    Ok(())
}

fn echo(stream: TcpStream) -> Result<(), Error> {
    stream.set_nodelay(true)?;
    let Ok(mut socket) = accept(stream) else {
        return Ok(());
    };
    loop {
        if let message @ (Message::Text(_) | Message::Binary(_)) = socket.read()? {
            socket.send(message)?;
        }
    }
}
