//! A connection as the key of a table that is searched by its id. The id is not stored beside the handle, which saves
//! its room.

use std::borrow::Borrow;
use std::hash::{Hash, Hasher};

use super::Connection;

pub(crate) struct ById(pub Connection);

impl Borrow<u64> for ById {
    fn borrow(&self) -> &u64 {
        &self.0.0.id
    }
}

/// The same hash as that of the id.
impl Hash for ById {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.id().hash(state);
    }
}

impl PartialEq for ById {
    fn eq(&self, other: &Self) -> bool {
        self.0.id() == other.0.id()
    }
}

impl Eq for ById {}
