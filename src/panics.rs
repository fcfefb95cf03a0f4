//! Where a panic ends. Code of the user's panics with a value of the user's, whose destructor may panic, too.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Does `work`; a panic in there ends here. What it left half done is the caller's to give up.
#[inline]
pub(crate) fn catch<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(work)).map_err(Panicked)
}

/// What somebody panicked with.
pub(crate) struct Panicked(Box<dyn Any + Send>);

impl Panicked {
    /// What it says, where it is a text as `panic!` makes it.
    pub fn message(&self) -> &str {
        let text = self.0.downcast_ref::<String>().map(String::as_str);
        text.or_else(|| self.0.downcast_ref::<&str>().copied())
            .unwrap_or("no message")
    }
}

impl Drop for Panicked {
    fn drop(&mut self) {
        let payload = std::mem::replace(&mut self.0, Box::new(()));
        if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            // Its destructor may panic as well, and so on: a leak ends that.
            std::mem::forget(another);
        }
    }
}

#[cfg(test)]
mod tests;
