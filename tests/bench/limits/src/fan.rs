//! What one connection sends goes to all: the thread that read it writes it to one socket after the other.

use crate::{READ, each_on_its_thread, upgrade};
use std::io::{Read, Result, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

type All = Arc<Mutex<Vec<Arc<TcpStream>>>>;

pub fn serve(listener: TcpListener) -> Result<()> {
    let all = All::default();
    each_on_its_thread(listener, move |stream| {
        upgrade(&stream)?;
        let stream = Arc::new(stream);
        with(&all, |all| all.push(stream.clone()));
        let ended = fan_out(&stream, &all);
        with(&all, |all| all.retain(|other| !Arc::ptr_eq(other, &stream)));
        ended
    })
}

fn fan_out(mut stream: &TcpStream, all: &All) -> Result<()> {
    let mut buf = vec![0; READ];
    loop {
        match stream.read(&mut buf)? {
            0 => return Ok(()),
            n => with(all, |all| {
                for mut to in all.iter().map(|stream| &**stream) {
                    // One that left takes itself out of the list.
                    let _ = to.write_all(&buf[..n]);
                }
            }),
        }
    }
}

fn with<R>(all: &All, work: impl FnOnce(&mut Vec<Arc<TcpStream>>) -> R) -> R {
    work(&mut all.lock().unwrap_or_else(PoisonError::into_inner))
}
