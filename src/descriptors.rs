//! How many descriptors the process may open (RLIMIT_NOFILE, `ulimit -n`).

#[cfg(unix)]
use rustix::process::{Resource, getrlimit};

/// Descriptors that are left for everything but connections.
const SPARE: usize = 32;
/// More than any system opens: what is laid out by this number must not overflow.
const MOST: u64 = 1 << 20;

/// The soft limit.
#[cfg(unix)]
pub(crate) fn allowed() -> usize {
    let soft = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    soft.min(MOST) as usize
}

/// Windows has no such limit.
#[cfg(windows)]
pub(crate) fn allowed() -> usize {
    MOST as usize
}

/// How many connections that carries; one at least, for one that is refused says more than a server that does not
/// start.
pub(crate) fn connections() -> usize {
    allowed().saturating_sub(SPARE).max(1)
}
