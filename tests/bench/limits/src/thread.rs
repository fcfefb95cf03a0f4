//! One blocking thread per connection.

use crate::{READ, each_on_its_thread, upgrade};
use std::io::{Read, Result, Write};
use std::net::{TcpListener, TcpStream};

pub fn serve(listener: TcpListener) -> Result<()> {
    each_on_its_thread(listener, echo)
}

fn echo(mut stream: TcpStream) -> Result<()> {
    upgrade(&stream)?;
    let mut buf = vec![0; READ];
    loop {
        match stream.read(&mut buf)? {
            0 => return Ok(()),
            n => stream.write_all(&buf[..n])?,
        }
    }
}
