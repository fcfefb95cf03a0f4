//! A server as tests/bench/cluster/run measures it; prints the address that it got, and in a cluster when it knows
//! another.
//!
//! `cluster-node alone` sends what a client says to its own clients, `cluster-node plain REDIS` to those of all servers.
//! `cluster-node flood REDIS COUNT` sends it so often, with a number of its own each time, as fast as Redis takes it.
//! `cluster-node socketio REDIS` is the same for Socket.IO, with the events of server.mjs.

use std::thread;
use std::time::Duration;

use load::frame::digits;
use wshub::socketio::SocketIo;
use wshub::{
    Cluster, ClusterEvent, Event, Limits, Message, RecvError, Redis, Server, ServerBuilder,
};
use wshub_servers::on_broadcast;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Messages that wait for Redis before a flood rests: half of what may wait.
const ENOUGH: usize = 32_768;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["alone"] => alone(),
        ["plain", redis] => plain(redis),
        ["flood", redis, count] => flood(redis, count.parse()?),
        ["socketio", redis] => socketio(redis),
        _ => Err("alone | plain REDIS | flood REDIS COUNT | socketio REDIS".into()),
    }
}

fn builder() -> ServerBuilder {
    Server::builder().limits(Limits {
        max_handshakes: 1_000,
        outbound_per_connection: Some(16 << 20),
        ..Limits::default()
    })
}

fn bind(builder: ServerBuilder) -> Result<Server> {
    let server = builder.bind("127.0.0.1:0")?;
    println!("listening on {}", server.local_addr()?);
    Ok(server)
}

fn alone() -> Result<()> {
    let server = bind(builder())?;
    for event in server.events() {
        if let Event::Message(_, message) = event {
            server.broadcast(message);
        }
    }
    Ok(())
}

fn plain(redis: &str) -> Result<()> {
    clustered(redis, |cluster, message| _ = cluster.broadcast(message))
}

fn flood(redis: &str, count: u32) -> Result<()> {
    clustered(redis, move |cluster, message| {
        let text = message.as_text().unwrap_or_default().to_owned();
        for number in 0..count {
            let mut bytes = text.clone().into_bytes();
            bytes[..8].copy_from_slice(&digits(number));
            _ = cluster.broadcast(String::from_utf8_lossy(&bytes).as_ref());
            while cluster.waiting() > ENOUGH {
                thread::sleep(Duration::from_micros(100));
            }
        }
    })
}

/// What goes wrong between the servers goes to standard error.
fn clustered(redis: &str, on_message: impl Fn(&Cluster, Message)) -> Result<()> {
    let server = bind(builder())?;
    // A flood is kept whole: what counts is the pace, not how far a reader may fall behind.
    let redis = Redis::new(redis)?.max_len(1_000_000);
    let cluster = Cluster::join(&server, redis)?;
    let mut events = server.events();
    loop {
        match events.recv() {
            Ok(Event::Message(_, message)) => on_message(&cluster, message),
            Ok(_) => {}
            Err(RecvError::Woken) => cluster.events().for_each(|event| tell(&event)),
            Err(_) => return Ok(()),
        }
    }
}

fn tell(event: &ClusterEvent) {
    match event {
        ClusterEvent::NodeJoined(_) => println!("knows another"),
        event => eprintln!("{event:?}"),
    }
}

fn socketio(redis: &str) -> Result<()> {
    let mut io = SocketIo::new(());
    on_broadcast(&mut io);
    io.on("/", "relay", |_, socket, stamp: f64| {
        _ = socket.all().emit("relayed", stamp)
    });
    let server = bind(builder().socketio(&io, "/socket.io/"))?;
    io.adapter(&Cluster::join(&server, Redis::new(redis)?)?);
    io.on_cluster_event(|_, event| eprintln!("{event:?}"));
    server.run(&mut io)?;
    Ok(())
}
