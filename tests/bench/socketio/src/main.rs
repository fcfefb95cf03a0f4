//! A server of Socket.IO as tests/bench/socketio/run measures it: `echo` answers with what it got, `broadcast` sends so many
//! ticks of so many bytes to all. Prints the address that it got. With the argument `floor` it is a bare loop of writes to
//! TCP connections, as often as a line of its standard input says: `ticks TICKS SIZE`.

use std::error::Error;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::{env, io, thread};

use wshub::Server;
use wshub::socketio::{AnyArguments, Socket, SocketIo};
use wshub_servers::on_broadcast;

/// Of a tick in its frame, beside its text.
const AROUND: usize = 18;

fn main() -> Result<(), Box<dyn Error>> {
    match env::args().nth(1).as_deref() {
        Some("floor") => floor(),
        _ => serve(),
    }
}

fn floor() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("listening on {}", listener.local_addr()?);
    let peers: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
    let arrived = peers.clone();
    thread::spawn(move || {
        for peer in listener.incoming().flatten() {
            let _ = peer.set_nodelay(true);
            arrived
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(peer);
        }
    });
    for line in io::stdin().lines() {
        let line = line?;
        let numbers: Vec<usize> = line.split(' ').filter_map(|it| it.parse().ok()).collect();
        let [ticks, size] = numbers[..] else {
            return Err("ticks TICKS SIZE".into());
        };
        let frame = vec![b'x'; size + AROUND];
        let peers = peers.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..ticks {
            for mut peer in peers.iter() {
                peer.write_all(&frame)?;
            }
        }
        println!("done 0");
    }
    Ok(())
}

fn serve() -> Result<(), Box<dyn Error>> {
    let mut io = SocketIo::new(());
    io.on("/", "echo", |_, _: &Socket<()>, any: AnyArguments| Ok(any));
    on_broadcast(&mut io);
    let server = Server::builder()
        .limits(wshub::Limits {
            max_handshakes: 1_000,
            max_http_requests: 1_000,
            max_waiting_requests: 2_000,
            max_idle_connections: 2_000,
            ..wshub::Limits::default()
        })
        .socketio(&io, "/socket.io/")
        .bind("127.0.0.1:0")?;
    println!("listening on {}", server.local_addr()?);
    server.run(&mut io)?;
    Ok(())
}
