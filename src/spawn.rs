//! Starts threads. Where the system gives none, the error says which limit to raise.

use std::io;
use std::thread::{Builder, JoinHandle};

/// What `builder` makes of it is the thread's name and its stack.
pub(crate) fn spawn(
    builder: Builder,
    work: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    builder.spawn(work).map_err(|error| {
        let text = format!(
            "the system gave no thread: {error}; raise the limit of threads (ulimit -u) or of address space (ulimit -v)"
        );
        io::Error::new(error.kind(), text)
    })
}
