//! What is between a node and Redis: it cuts a connection after what the node wrote, or lets nothing through for a while.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

#[derive(Default)]
pub struct Faults {
    /// The next so many answers are cut off.
    pub cuts: AtomicUsize,
    pub pauses: AtomicBool,
    /// Nothing comes on connections that have subscribed to a channel.
    pub deafens: AtomicBool,
}

pub struct Proxy {
    pub port: u16,
    pub faults: Arc<Faults>,
}

impl Proxy {
    pub fn start(to: u16) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let faults = Arc::new(Faults::default());
        let own = faults.clone();
        thread::spawn(move || {
            for near in listener.incoming() {
                let Ok(far) = TcpStream::connect(("127.0.0.1", to)) else {
                    continue;
                };
                let near = near.unwrap();
                carry(near.try_clone().unwrap(), far.try_clone().unwrap(), None);
                carry(far, near, Some(own.clone()));
            }
        });
        Proxy { port, faults }
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, faults: Option<Arc<Faults>>) {
    thread::spawn(move || {
        let mut buffer = [0; 64 << 10];
        let mut has_subscribed = false;
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            if let Some(faults) = &faults {
                let subscribed = b"subscribe";
                has_subscribed |= buffer[..read].windows(9).any(|it| it == subscribed);
                while faults.pauses.load(SeqCst) || has_subscribed && faults.deafens.load(SeqCst) {
                    thread::park_timeout(Duration::from_millis(5));
                }
                let cut = |left: usize| left.checked_sub(1);
                if faults.cuts.fetch_update(SeqCst, SeqCst, cut).is_ok() {
                    break;
                }
            }
            if to.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    });
}
