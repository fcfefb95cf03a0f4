//! A server of Socket.IO as tests/bench/socketio/run measures it: `echo` answers with what it got, `broadcast` sends so many
//! ticks of so many bytes to all. Prints the address that it got.

use wshub::Server;
use wshub::socketio::{AnyArguments, Socket, SocketIo};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut io = SocketIo::new(());
    io.on("/", "echo", |_, _: &Socket<()>, any: AnyArguments| Ok(any));
    io.on(
        "/",
        "broadcast",
        |_, socket, (ticks, size): (u32, usize)| {
            let text = "x".repeat(size);
            for number in 0..ticks {
                socket.all().emit("tick", (number, &text));
            }
        },
    );
    let server = Server::builder()
        .limits(wshub::Limits {
            max_handshakes: 1_000,
            max_http_requests: 1_000,
            max_waiting_requests: 2_000,
            ..wshub::Limits::default()
        })
        .socketio(&io, "/socket.io/")
        .bind("127.0.0.1:0")?;
    println!("listening on {}", server.local_addr()?);
    server.run(&mut io)?;
    Ok(())
}
