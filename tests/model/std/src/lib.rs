//! std as wshub's models see it: the real one, but for what a schedule decides. Threads, locks, condition variables and
//! atomics are shuttle's; the clock is virtual ([`clock`]); what poll(2) and epoll(7) look at is played ([`kernel`]).
//!
//! A crate that depends on this one under the name `std` gets it wherever it says `std::`, so the code under test is
//! compiled as it stands.

pub use ::std::*;
pub use shuttle::thread_local;

pub mod check;
pub mod clock;
mod condvar;
pub mod kernel;

pub mod sync {
    //! Locks that are scheduling points.
    pub use ::std::sync::*;
    pub use shuttle::sync::{Mutex, MutexGuard};

    pub use crate::condvar::{Condvar, WaitTimeoutResult};

    pub mod atomic {
        //! Atomics that are scheduling points; every access is sequentially consistent, whatever was asked for.
        pub use ::std::sync::atomic::*;
        pub use shuttle::sync::atomic::{
            AtomicBool, AtomicIsize, AtomicU8, AtomicU32, AtomicU64, AtomicUsize,
        };
    }
}

pub mod thread {
    //! Threads that the checker schedules.
    pub use ::std::thread::*;
    pub use shuttle::thread::{
        Builder, JoinHandle, LocalKey, Thread, ThreadId, current, park, sleep, spawn, yield_now,
    };
}

pub mod time {
    //! The virtual clock.
    pub use ::std::time::*;

    pub use crate::clock::Instant;
}

pub mod collections {
    //! Maps whose order is the same in every run.
    pub use ::std::collections::*;
    use ::std::hash::{BuildHasherDefault, DefaultHasher};

    pub type HashMap<K, V> = ::std::collections::HashMap<K, V, BuildHasherDefault<DefaultHasher>>;
    pub type HashSet<T> = ::std::collections::HashSet<T, BuildHasherDefault<DefaultHasher>>;
}
