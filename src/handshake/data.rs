//! What the `accept` hook found out about a client, kept with its connection: one value of any type.

use core::any::Any;
use core::fmt;

/// The value, or none.
#[derive(Default)]
pub(crate) struct Data(Option<Box<dyn Any + Send + Sync>>);

impl Data {
    pub(crate) fn new(value: impl Any + Send + Sync) -> Self {
        Data(Some(Box::new(value)))
    }

    /// The value, if it is of this type.
    pub(crate) fn get<T: Any>(&self) -> Option<&T> {
        self.0.as_ref()?.downcast_ref()
    }
}

/// The value may be secret.
impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Some(_) => "Some(..)",
            None => "None",
        })
    }
}
