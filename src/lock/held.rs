//! Which locks a thread holds. Debug builds keep account of that; in others all of this is nothing.

use std::cell::Cell;

use super::order::NAMES;

const _: () = assert!(NAMES.len() <= u64::BITS as usize);

std::thread_local! {
    /// A bit for each lock.
    static HELD: Cell<u64> = const { Cell::new(0) };
}

/// A lock that this thread holds, or is about to take.
pub(crate) struct Held(u8);

impl Held {
    pub fn new(place: u8) -> Held {
        change(|held| {
            assert!(
                held >> place == 0,
                "{:?} is taken behind {:?}",
                names(1 << place),
                names(held >> place << place)
            );
            held | (1 << place)
        });
        Held(place)
    }

    /// This thread waits next, and holds no other.
    pub fn assert_only_lock(&self) {
        change(|held| {
            let others = held & !(1 << self.0);
            assert!(others == 0, "{:?} is held across a wait", names(others));
            held
        });
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        change(|held| held & !(1 << self.0));
    }
}

pub(crate) fn assert_none() {
    change(|held| {
        assert!(
            held == 0,
            "{:?} is held where a user's code runs",
            names(held)
        );
        held
    });
}

fn change(change: impl FnOnce(u64) -> u64) {
    if cfg!(debug_assertions) {
        // A thread that ends may not know any more.
        let _ = HELD.try_with(|held| held.set(change(held.get())));
    }
}

fn names(held: u64) -> Vec<&'static str> {
    let all = NAMES.iter().enumerate();
    all.filter(|(place, _)| held & (1 << place) != 0)
        .map(|(_, name)| *name)
        .collect()
}
