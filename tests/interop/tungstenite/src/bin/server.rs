//! tungstenite as a server: `server`; its paths are those of `tests/interop/servers/part.sh`.

use std::error::Error;
use std::net::{TcpListener, TcpStream};
use std::thread;

use tungstenite::handshake::server::{Request, Response};
use tungstenite::protocol::frame::coding::{Data, OpCode};
use tungstenite::protocol::frame::{CloseFrame, Frame};
use tungstenite::{Message, WebSocket};

fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("tungstenite\nlistening on ws://{}/", listener.local_addr()?);
    for stream in listener.incoming() {
        let stream = stream?;
        thread::spawn(move || match serve(stream) {
            Err(error) => println!("close 1006: {error}"),
            Ok(()) => println!("close"),
        });
    }
    Ok(())
}

fn serve(stream: TcpStream) -> Result<(), Box<dyn Error>> {
    stream.set_nodelay(true)?;
    let mut path = String::new();
    // The type of the answer is tungstenite's.
    #[expect(clippy::result_large_err)]
    let look = |request: &Request, response: Response| {
        request.uri().path().clone_into(&mut path);
        Ok(response)
    };
    let mut ws = tungstenite::accept_hdr(stream, look).map_err(|error| error.to_string())?;
    loop {
        match ws.read() {
            Ok(message @ (Message::Text(_) | Message::Binary(_))) => {
                answer(&mut ws, &path, message)?
            }
            Ok(Message::Pong(payload)) => ws.send(Message::text(std::str::from_utf8(&payload)?))?,
            Ok(_) => {}
            Err(tungstenite::Error::ConnectionClosed) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

fn answer(
    ws: &mut WebSocket<TcpStream>,
    path: &str,
    message: Message,
) -> Result<(), Box<dyn Error>> {
    if let Some(code) = path.strip_prefix("/close/") {
        let code: u16 = code.parse()?;
        let reason = message.into_text()?;
        return Ok(ws.close(Some(CloseFrame {
            code: code.into(),
            reason,
        }))?);
    }
    match path {
        "/ping" => ws.send(Message::Ping(message.into_data()))?,
        "/fragments" => {
            let data = message.into_data();
            for (part, opcode, last) in [
                (data.slice(..3), Data::Text, false),
                (data.slice(..0), Data::Continue, false),
                (data.slice(3..), Data::Continue, true),
            ] {
                ws.send(Message::Frame(Frame::message(
                    part,
                    OpCode::Data(opcode),
                    last,
                )))?;
            }
        }
        _ => ws.send(message)?,
    }
    Ok(())
}
