//! Closures that leave something behind on their threads: it may end slowly or never, and nobody waits for it.

use std::cell::RefCell;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use crate::support::{Client, PATIENCE, duplex, upgrade};
use wshub::{Limits, Server, ServerHandle, ShutdownReport};

/// No shutdown here may take longer, on however busy a machine.
const BOUND: Duration = Duration::from_secs(8);

thread_local! {
    static SLOW: RefCell<Option<Slow>> = const { RefCell::new(None) };
}

/// Tells when it is dropped, and waits for leave to go on.
struct Slow {
    dropping: Sender<()>,
    released: Receiver<()>,
}

impl Drop for Slow {
    fn drop(&mut self) {
        let _ = self.dropping.send(());
        let _ = self.released.recv();
    }
}

/// An echo server whose first connection leaves such a thread-local; tells when it is dropped, and has what lets it go.
fn serve(idle_thread_timeout: Duration) -> (ServerHandle, Receiver<()>, Sender<()>) {
    let ((dropping, drops), (release, released)) = (channel(), channel());
    let slow = Mutex::new(Some(Slow { dropping, released }));
    let limits = Limits {
        idle_thread_timeout,
        close_timeout: Duration::from_millis(300),
        ..Limits::default()
    };
    let handle = Server::builder()
        .limits(limits)
        .serve("127.0.0.1:0", move |mut ws| {
            if let Some(slow) = slow.lock().unwrap().take() {
                SLOW.set(Some(slow));
            }
            while let Some(message) = ws.read()? {
                ws.send(message)?;
            }
            Ok(())
        })
        .unwrap();
    let mut first = Client::connect(handle.local_addr().unwrap());
    first.send_close(1000, "");
    assert_eq!(first.read().close().0, 1000);
    (handle, drops, release)
}

fn assert_reported(handle: &ServerHandle) {
    let begun = Instant::now();
    handle.shutdown();
    assert_eq!(handle.wait().threads_left, 1);
    assert!(begun.elapsed() < BOUND, "{:?}", begun.elapsed());
}

#[test]
fn m03_a_thread_local_that_does_not_end_keeps_nobody_out() {
    let (handle, drops, release) = serve(Duration::ZERO);
    drops.recv_timeout(PATIENCE).unwrap();
    let mut client = Client::connect(handle.local_addr().unwrap());
    client.send_text("by TCP");
    assert_eq!(client.read().text(), "by TCP");
    let (ours, theirs) = duplex();
    handle.attach(ours);
    let mut client = Client::open(theirs, &upgrade("localhost", "/", ""));
    client.send_text("in memory");
    assert_eq!(client.read().text(), "in memory");
    client.send_close(1000, "");
    assert_eq!(client.read().close().0, 1000);
    drop(client);
    assert_reported(&handle);
    drop(release);
    assert_eq!(handle.wait(), ShutdownReport::default());
}

#[test]
fn m03_a_thread_local_that_does_not_end_is_reported_by_the_shutdown_that_meets_it() {
    let (handle, drops, release) = serve(Duration::from_secs(600));
    assert_reported(&handle);
    drops.recv_timeout(PATIENCE).unwrap();
    drop(release);
    assert_eq!(handle.wait(), ShutdownReport::default());
}
