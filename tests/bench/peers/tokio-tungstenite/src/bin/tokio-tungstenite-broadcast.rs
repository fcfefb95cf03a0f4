//! Broadcast over tokio's broadcast channel, one task per connection.

use futures_util::{SinkExt, StreamExt};
use std::io;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast::{self, Sender, error::RecvError};
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::{Error, Message};

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on ws://{}/", listener.local_addr()?);
    let (all, _) = broadcast::channel(1024);
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(serve(stream, all.clone()));
    }
}

async fn serve(stream: TcpStream, all: Sender<Message>) -> Result<(), Error> {
    stream.set_nodelay(true)?;
    let (mut writer, mut reader) = accept_async(stream).await?.split();
    let mut messages = all.subscribe();
    loop {
        tokio::select! {
            message = reader.next() => match message.transpose()? {
                Some(message) if message.is_text() || message.is_binary() => {
                    let _ = all.send(message);
                }
                Some(_) => {}
                None => return Ok(()),
            },
            message = messages.recv() => match message {
                Ok(message) => writer.send(message).await?,
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return Ok(()),
            }
        }
    }
}
