//! The addresses of a name, up to a deadline. The system's resolver knows none, so that a helper
//! thread asks it and may stay behind; their number is bounded.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::LazyLock;
use std::thread::Builder;
use std::time::Instant;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use crate::spawn::spawn;

/// Lookups that run at once in this process, those included that nobody waits for any more; one more
/// waits for its turn, up to its deadline.
const MAX_LOOKUPS: usize = 8;
/// Addresses of a name that are used; a resolver may give thousands.
const MAX_ADDRESSES: usize = 16;

static LOOKUPS: Lookups = Lookups::new();

/// Asks for a name's addresses; blocks for as long as it likes.
type Resolver = fn(&str, u16) -> io::Result<Vec<SocketAddr>>;

/// The addresses of a host, in the order in which the system wants them tried (RFC 6724), at least one.
pub(crate) fn addresses(host: &str, port: u16, deadline: Instant) -> io::Result<Vec<SocketAddr>> {
    match host.parse::<IpAddr>() {
        Ok(address) => Ok(vec![(address, port).into()]),
        Err(_) => look_up(&LOOKUPS, ask_system, host, port, deadline),
    }
}

fn ask_system(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    Ok((host, port)
        .to_socket_addrs()?
        .take(MAX_ADDRESSES)
        .collect())
}

fn look_up(
    lookups: &'static Lookups,
    resolver: Resolver,
    host: &str,
    port: u16,
    deadline: Instant,
) -> io::Result<Vec<SocketAddr>> {
    let turn = lookups.wait_for_turn(deadline).ok_or_else(timed_out)?;
    let (tell, told) = bounded(1);
    let host = host.to_owned();
    let builder = Builder::new().name("wshub-lookup".to_owned());
    spawn(builder, move || {
        let _turn = turn;
        // A caller that has stopped waiting takes no answer.
        let _ = tell.send(resolver(&host, port));
    })?;
    let addresses = match told.recv_deadline(deadline) {
        Ok(found) => found?,
        Err(RecvTimeoutError::Timeout) => return Err(timed_out()),
        Err(RecvTimeoutError::Disconnected) => return Err(io::Error::other("the lookup failed")),
    };
    match addresses.is_empty() {
        true => Err(io::Error::new(
            io::ErrorKind::NotFound,
            "the name has no address",
        )),
        false => Ok(addresses),
    }
}

fn timed_out() -> io::Error {
    io::Error::new(
        io::ErrorKind::TimedOut,
        "the resolver did not answer in time",
    )
}

/// A channel that holds one `()` for each lookup that runs.
struct Lookups(LazyLock<(Sender<()>, Receiver<()>)>);

/// One of the lookups that run.
struct LookupPermit(&'static Lookups);

impl Lookups {
    const fn new() -> Self {
        Lookups(LazyLock::new(|| bounded(MAX_LOOKUPS)))
    }

    fn wait_for_turn(&'static self, deadline: Instant) -> Option<LookupPermit> {
        let turn = self.0.0.send_deadline((), deadline);
        turn.ok().map(|()| LookupPermit(self))
    }
}

impl Drop for LookupPermit {
    fn drop(&mut self) {
        let _ = self.0.0.1.try_recv();
    }
}

#[cfg(test)]
mod tests;
