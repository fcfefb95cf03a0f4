//! Echoes over TLS: `wss://`. Without certificate files it has openssl make a certificate for
//! localhost, which no client trusts unless told to.
//!
//! `cargo run --release --features tls --example wss -- 127.0.0.1:9443 fullchain.pem privkey.pem`
//!
//! After the files were renewed, `pkill -HUP wss` loads them for new connections.

mod support;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::{Command, ExitCode};

#[cfg(unix)]
use nix::sys::signal::{SigSet, Signal};
use wshub::{Event, Server, Tls};

fn main() -> ExitCode {
    #[cfg(unix)]
    let hangup = hold_hangups();
    let about = "CERTIFICATE and KEY are PEM files; without them openssl makes a certificate for localhost.\n\
                 SIGHUP loads them anew; open connections go on.\n";
    support::run_with("[ADDRESS [CERTIFICATE KEY]]", about, |addr| {
        let tls = certificate()?;
        let server = Server::builder().listen_tls(addr, &tls)?.start()?;
        // Where there is no SIGHUP, the certificate stays.
        #[cfg(unix)]
        reload_on(hangup?, tls)?;
        support::stop_on_signals(server.handle())?;
        support::say(&format!("listening on wss://{}/", server.local_addr()?));
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

/// SIGHUP, for this thread and those that it starts from now on, waits to be asked for; so no thread may have started.
#[cfg(unix)]
fn hold_hangups() -> io::Result<SigSet> {
    let mut hangup = SigSet::empty();
    hangup.add(Signal::SIGHUP);
    hangup.thread_block()?;
    Ok(hangup)
}

#[cfg(unix)]
fn reload_on(hangup: SigSet, tls: Tls) -> io::Result<()> {
    let reload = move || {
        while hangup.wait().is_ok() {
            reload(&tls);
        }
    };
    std::thread::Builder::new().spawn(reload).map(drop)
}

/// If the new files are wrong, connections go on with the old ones.
#[cfg(unix)]
fn reload(tls: &Tls) {
    match certificate() {
        Ok(new) => {
            tls.replace(&new);
            log::info!("new connections get the certificate that was loaded now");
        }
        Err(error) => log::warn!("the old certificate stays in use: {error}"),
    }
}

/// From the files of the command line, else made by openssl.
fn certificate() -> io::Result<Tls> {
    let files: Vec<OsString> = std::env::args_os().skip(2).collect();
    match &files[..] {
        [] => {
            let own = made_by_openssl()?;
            Ok(Tls::from_pem(own.clone(), own)?)
        }
        [certificate, key] => Tls::from_pem_files(certificate, key).map_err(io::Error::other),
        _ => Err(io::Error::other(
            "the key is missing: give two files, the certificate and its key",
        )),
    }
}

/// A key and a certificate for it, PEM.
fn made_by_openssl() -> io::Result<Vec<u8>> {
    let made = Command::new("openssl")
        .args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 90".split(' '))
        .args(["-subj", "/CN=localhost"])
        .args([
            "-addext",
            "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1",
        ])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-keyout", "-", "-out", "-"])
        .output()
        .map_err(|error| {
            io::Error::other(format!(
                "openssl: {error}: install it, or give a certificate and its key"
            ))
        })?;
    if !made.status.success() {
        let said = String::from_utf8_lossy(&made.stderr);
        return Err(io::Error::other(format!(
            "openssl made no certificate: {said}"
        )));
    }
    let certificate = String::from_utf8_lossy(&made.stdout);
    let begin = certificate
        .find("-----BEGIN CERTIFICATE")
        .unwrap_or_default();
    writeln!(
        io::stderr(),
        "no certificate given: this one is for localhost; save it, and let clients trust it\n{}",
        &certificate[begin..]
    )?;
    Ok(made.stdout)
}
