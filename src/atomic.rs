//! Counters of 64 bits, also where the processor has none that are atomic, as on 32-bit PowerPC: there a lock of
//! `portable-atomic` stands in.

#[cfg(not(target_has_atomic = "64"))]
pub(crate) use portable_atomic::AtomicU64;
#[cfg(target_has_atomic = "64")]
pub(crate) use std::sync::atomic::AtomicU64;
