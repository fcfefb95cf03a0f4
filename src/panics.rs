//! Where a panic ends. Code of the user's panics with a value of the user's, whose destructor may panic, too.

use std::any::Any;
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

use crate::http::excerpt::excerpt;

/// Between a panic and the next try, which may panic again: the first rest, and the longest.
const RESTS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// Does `work`; a panic in there ends here. What it left half done is the caller's to give up.
#[inline]
pub(crate) fn catch<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(work)).map_err(Panicked)
}

/// Does the work of a thread that others rely on. A panic in it is a bug of wshub: `tell` gets an excerpt of what it
/// says. Where that returns true the work begins anew, from what its last try has left.
pub(crate) fn work_on(mut work: impl FnMut(), mut tell: impl FnMut(&str) -> bool) {
    let mut rest = RESTS.0;
    loop {
        let begun = Instant::now();
        let Err(panicked) = catch(&mut work) else {
            return;
        };
        if begun.elapsed() > RESTS.1 {
            rest = RESTS.0;
        }
        if !tell(&panicked.excerpt()) {
            return;
        }
        std::thread::sleep(rest);
        rest = (rest * 2).min(RESTS.1);
    }
}

/// The payload of a panic.
pub(crate) struct Panicked(Box<dyn Any + Send>);

impl Panicked {
    /// What it says, where it is a text as `panic!` makes it.
    pub fn message(&self) -> &str {
        let text = self.0.downcast_ref::<String>().map(String::as_str);
        text.or_else(|| self.0.downcast_ref::<&str>().copied())
            .unwrap_or("no message")
    }

    /// Goes on with the panic.
    pub fn resume(mut self) -> ! {
        resume_unwind(self.take())
    }

    fn take(&mut self) -> Box<dyn Any + Send> {
        std::mem::replace(&mut self.0, Box::new(()))
    }

    /// What it says, for a log: it may hold a peer's text.
    pub fn excerpt(&self) -> String {
        excerpt(self.message().as_bytes())
    }
}

impl Drop for Panicked {
    fn drop(&mut self) {
        let payload = self.take();
        if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            // Its destructor may panic as well, and so on: a leak ends that.
            std::mem::forget(another);
        }
    }
}

/// A value of the user's. What its destructor panics with ends here, on whatever thread that is.
pub(crate) struct Contained<T>(Option<T>);

impl<T> Contained<T> {
    pub fn new(value: T) -> Self {
        Contained(Some(value))
    }
}

impl<F: FnOnce()> Contained<F> {
    pub fn call(mut self) {
        if let Some(callback) = self.0.take() {
            callback();
        }
    }
}

impl<R: Read> Read for Contained<R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.0.as_mut().map_or(Ok(0), |reader| reader.read(room))
    }
}

impl<T> Drop for Contained<T> {
    fn drop(&mut self) {
        let value = self.0.take();
        let _ = catch(|| drop(value));
    }
}

#[cfg(test)]
mod tests;
