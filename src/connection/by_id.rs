//! A connection as the key of a table in which its id finds it: beside the handle the id takes no room.

use std::borrow::Borrow;
use std::hash::{Hash, Hasher};

use super::Connection;

pub(crate) struct ById(pub Connection);

impl Borrow<u64> for ById {
    fn borrow(&self) -> &u64 {
        &self.0.0.id
    }
}

/// As that of the id.
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
