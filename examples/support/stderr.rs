//! Standard error for the log, on a thread of its own: while nobody reads it, or it takes nothing, lines get lost, and
//! no server waits.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::thread::Builder;
use std::time::Duration;

use super::STACK;

/// Lines that wait to be written.
const LINES: usize = 1_000;
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Clone)]
pub struct Stderr {
    waiting: SyncSender<Item>,
    lost: Arc<AtomicUsize>,
}

enum Item {
    Line(Vec<u8>),
    /// Everything before it is written.
    Written(Sender<()>),
}

impl Stderr {
    pub fn start() -> io::Result<Stderr> {
        let (waiting, items) = sync_channel(LINES);
        let lost = Arc::default();
        let counted = Arc::clone(&lost);
        let writer = Builder::new().stack_size(STACK);
        writer
            .spawn(move || write_all(&items, &counted))
            .map_err(|error| {
                io::Error::other(format!(
                    "no thread for the log: {error}; raise ulimit -u or ulimit -v"
                ))
            })?;
        Ok(Stderr { waiting, lost })
    }

    /// Waits until all is written, a second at most.
    pub fn finish(&self) {
        let (tell, told) = channel();
        if let Err(TrySendError::Full(item)) = self.waiting.try_send(Item::Written(tell)) {
            // There may be room for it later, or no reader ever. Without a thread nobody waits for that.
            let waiting = self.waiting.clone();
            let _ = Builder::new()
                .stack_size(STACK)
                .spawn(move || waiting.send(item));
        }
        let _ = told.recv_timeout(PATIENCE);
    }
}

/// The log writes each line whole.
impl Write for Stderr {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.waiting.try_send(Item::Line(line.to_vec())).is_err() {
            self.lost.fetch_add(1, Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_all(items: &Receiver<Item>, lost: &AtomicUsize) {
    for item in items {
        let mut stderr = io::stderr();
        if let Item::Line(line) = &item {
            if stderr.write_all(line).is_err() {
                lost.fetch_add(1, Relaxed);
            }
        }
        let count = lost.load(Relaxed);
        // Where this is refused, too, the next line tries again.
        if count > 0 && say_lost(&mut stderr, count).is_ok() {
            lost.fetch_sub(count, Relaxed);
        }
        if let Item::Written(tell) = item {
            let _ = tell.send(());
        }
    }
}

fn say_lost(stderr: &mut impl Write, count: usize) -> io::Result<()> {
    let text = format!("[{count} lines of the log were lost: nobody read them]\n");
    stderr.write_all(text.as_bytes())
}
