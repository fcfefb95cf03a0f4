//! What is measured: each function gives one or more lines of the table.

mod accept;
mod away;
mod churn;
mod crowds;
mod fan;
mod floods;
mod handshakes;
mod large;
mod leaving;
mod shutdown;
mod signals;
mod small_machine;
mod soak;

use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use scorecard::support::Client;

use crate::row::Row;

pub use soak::soak;

const MIB: f64 = (1 << 20) as f64;

pub type Line = fn() -> Vec<Row>;

/// They wait rather than work: they run beside the others.
pub const WAITING: &[(&str, Line)] = &[("half-open", leaving::half_open)];

/// One after the other.
pub const LINES: &[(&str, Line)] = &[
    ("slow-handshakes", handshakes::slow),
    ("handshake-storm", handshakes::storm),
    ("emfile", accept::out_of_descriptors),
    ("accept-faults", accept::faults),
    ("threads", accept::out_of_threads),
    ("full", accept::full),
    ("killed", leaving::killed),
    ("stopped", leaving::stopped),
    ("sigterm", shutdown::sigterm),
    ("signals", signals::signals),
    ("stderr", shutdown::stderr_blocked),
    ("stalled-1", fan::one_stalled),
    ("stalled-100", fan::hundred_stalled),
    ("flooder", fan::flooder),
    ("announced", floods::announced),
    ("empty-fragments", floods::empty_fragments),
    ("pings", floods::pings),
    ("refused", large::refused),
    ("asked", large::asked),
    ("streamed", large::streamed),
    ("ugly", churn::ugly),
    ("5000", churn::five_thousand),
    ("away", away::away),
    ("small-machine", small_machine::small_machine),
    ("beside-idle", crowds::beside_idle),
    ("idle-19000", crowds::idle_19_000),
    ("killed-15000", crowds::killed_15_000),
];

/// Runs `work` on as many threads, which get their number, and collects what they return.
fn at_once<T: Send + 'static>(
    threads: usize,
    work: impl Fn(usize) -> T + Clone + Send + 'static,
) -> Vec<T> {
    all_of(threads, &start(threads, work))
}

fn all_of<T>(threads: usize, started: &Receiver<T>) -> Vec<T> {
    let results: Vec<T> = started.iter().collect();
    assert_eq!(results.len(), threads, "a thread of the clients panicked");
    results
}

/// As `start`, with a client for each thread. They connect one by one: of many at once a busy machine tells some to
/// come again (503), as it should.
fn start_clients<T: Send + 'static>(
    count: usize,
    addr: SocketAddr,
    work: impl Fn(Client) -> T + Clone + Send + 'static,
) -> Receiver<T> {
    let clients: Vec<Client> = (0..count).map(|_| Client::connect(addr)).collect();
    let clients = Arc::new(Mutex::new(clients));
    start(count, move |_| {
        let client = clients.lock().unwrap().pop();
        work(client.expect("one for each thread"))
    })
}

/// As `at_once`, but what they return comes as they return it.
fn start<T: Send + 'static>(
    threads: usize,
    work: impl Fn(usize) -> T + Clone + Send + 'static,
) -> Receiver<T> {
    let (tell, told) = channel();
    for number in 0..threads {
        let (work, tell) = (work.clone(), tell.clone());
        let builder = thread::Builder::new().stack_size(128 << 10);
        let _ = builder
            .spawn(move || tell.send(work(number)))
            .expect("a thread for a client");
    }
    told
}
