//! Echoes over TLS: `wss://`. Without certificate files it makes a certificate of its own for
//! localhost, which no client trusts unless told to.
//!
//! `cargo run --release --features tls --example wss -- 127.0.0.1:9443 fullchain.pem privkey.pem`

mod support;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use wshub::{Event, Server, Tls};

fn main() -> ExitCode {
    let about =
        "CERTIFICATE and KEY are PEM files; without them it makes a certificate for localhost.\n";
    support::run_with("[ADDRESS [CERTIFICATE KEY]]", about, |addr| {
        let tls = certificate()?;
        let server = Server::builder().tls(&tls).bind(addr)?;
        support::announce_as("wss", server.local_addr()?, server.handle())?;
        // Ends when the server has shut down.
        for event in server.events() {
            if let Event::Message(connection, message) = event {
                // The peer may have left meanwhile: then its Close event is on the way.
                let _ = connection.send(message);
            }
        }
        Ok(())
    })
}

/// From the files of the command line, else made here and now.
fn certificate() -> io::Result<Tls> {
    let files: Vec<OsString> = std::env::args_os().skip(2).collect();
    match &files[..] {
        [] => {}
        [certificate, key] => {
            return Tls::from_pem_files(certificate, key).map_err(io::Error::other);
        }
        _ => {
            return Err(io::Error::other(
                "give two files: the certificate and its key",
            ));
        }
    }
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let own = rcgen::generate_simple_self_signed(names).map_err(io::Error::other)?;
    writeln!(
        io::stderr(),
        "no certificate given: this one is for localhost, and clients have to be told to trust it\n{}",
        own.cert.pem()
    )?;
    Ok(Tls::from_pem(
        own.cert.pem(),
        own.signing_key.serialize_pem(),
    )?)
}
