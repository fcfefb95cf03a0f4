//! Broadcast by the thread that read the message, with `try_clone` and a mutex around each connection's writer.

use std::collections::HashMap;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::{io, thread};
use tungstenite::protocol::Role;
use tungstenite::{Error, Message, WebSocket, accept};

type Writer = Arc<Mutex<WebSocket<TcpStream>>>;
type Writers = Arc<Mutex<HashMap<usize, Writer>>>;

fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("listening on ws://{}/", listener.local_addr()?);
    let writers = Writers::default();
    for (id, stream) in listener.incoming().enumerate() {
        let (stream, writers) = (stream?, writers.clone());
        thread::spawn(move || {
            // It ends by an error or at its end; neither matters to the others.
            let _ = serve(id, stream, &writers);
            writers.lock().unwrap().remove(&id);
        });
    }
    Ok(())
}

fn serve(id: usize, stream: TcpStream, writers: &Writers) -> Result<(), Error> {
    stream.set_nodelay(true)?;
    let to = stream.try_clone()?;
    let Ok(mut socket) = accept(stream) else {
        return Ok(());
    };
    let writer = WebSocket::from_raw_socket(to, Role::Server, None);
    let writer = Arc::new(Mutex::new(writer));
    writers.lock().unwrap().insert(id, writer);
    loop {
        if let message @ (Message::Text(_) | Message::Binary(_)) = socket.read()? {
            let all: Vec<Writer> = writers.lock().unwrap().values().cloned().collect();
            for writer in all {
                // One that left is taken out by its own thread.
                let _ = writer.lock().unwrap().send(message.clone());
            }
        }
    }
}
