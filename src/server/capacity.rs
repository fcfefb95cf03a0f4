//! How many connections the limits of this process carry: descriptors, address space, threads; and how many may wait to
//! be accepted.

#[cfg(target_os = "linux")]
use rustix::process::{Resource, getrlimit, getuid};

use super::memory_group;
use crate::address_space::{self, BESIDE_STACK, LATER};
use crate::descriptors;
use crate::limits::Limits;
use crate::logging::log_line;

/// Connections that the system holds for each listener until they are accepted: a reconnect storm fits.
pub(crate) const BACKLOG: i32 = 1024;

/// Threads that are left for wshub's own two, the application's, and handshakes.
#[cfg(target_os = "linux")]
const SPARE_THREADS: u64 = 32;

/// What a connection without a thread takes: its allocations, most of them a page each where glibc finds no
/// room for a heap.
const WITHOUT_THREAD: usize = 32 << 10;

/// Lowers `max_connections` to what the process carries, and says so. `on_threads`: each holds a thread, else
/// handshakes alone do. `buffers`: what a connection takes beside that.
pub(crate) fn bound(limits: &mut Limits, on_threads: bool, buffers: usize) {
    let wanted = limits.max_connections;
    if wanted == descriptors::connections() {
        log_line!(
            Info,
            "max_connections is {wanted}, for the process may open {} descriptors: to have more, raise that (ulimit -n)",
            descriptors::allowed(),
        );
    }
    let thread = limits.stack_size + BESIDE_STACK;
    let carried = match on_threads {
        true => [
            by_descriptors(),
            address_space(0, thread + LATER + buffers),
            threads(),
        ],
        false => {
            // A crowd has more threads for a moment, see `Admission::max_threads`; that makes no connection fewer.
            let handshakes = limits.max_handshakes.saturating_mul(thread);
            [
                by_descriptors(),
                address_space(handshakes, WITHOUT_THREAD + buffers),
                None,
            ]
        }
    };
    for (carried, why) in carried.into_iter().flatten() {
        // Where none is carried, one that is refused says so better than a server that does not start.
        let carried = carried.max(1);
        if wanted > carried {
            log_line!(Warn, "max_connections is {carried}, not {wanted}: {why}");
            limits.max_connections = limits.max_connections.min(carried);
        }
    }
}

/// Says so where peers can make the server hold more than the process may have.
pub(crate) fn warn_of(all: usize) {
    let space = address_space::left().map(|left| (left, "of address space are left (ulimit -v)"));
    let group = memory_group::allowed().map(|most| (most, "are allowed by the memory cgroup"));
    for (most, what) in [space, group].into_iter().flatten() {
        if all > most {
            log_line!(
                Warn,
                "peers can make the server hold at most {}, and {} {what}: lower max_message, outbound_per_connection, max_connections or max_handshakes",
                readable(all),
                readable(most),
            );
        }
    }
}

/// A number of bytes. That of a small machine would say little in MiB.
pub(crate) fn readable(bytes: usize) -> String {
    match bytes >> 20 {
        0..10 => format!("{} KiB", bytes >> 10),
        mib => format!("{mib} MiB"),
    }
}

/// A number of connections, and what carries no more.
type Ceiling = Option<(usize, String)>;

fn by_descriptors() -> Ceiling {
    let soft = descriptors::allowed();
    Some((
        descriptors::connections(),
        format!("the process may open {soft} descriptors (ulimit -n)"),
    ))
}

fn address_space(beside: usize, each: usize) -> Ceiling {
    let (carrying, left) = address_space::left_for_connections()?;
    // Fewer handshakes at once are slower, not fewer connections in the end.
    let carrying = carrying - beside.min(carrying / 2);
    let heaps = match address_space::most_heaps() {
        0 => "",
        _ => {
            " glibc makes heaps for threads of most of it, unless MALLOC_ARENA_MAX=1 is in the environment;"
        }
    };
    Some((
        carrying / each,
        format!(
            "the process has {} MiB of address space left (ulimit -v);{heaps} {} MiB are for connections, and each takes {} KiB",
            left >> 20,
            carrying >> 20,
            each >> 10,
        ),
    ))
}

/// The limit counts all threads of a user, and root is free of it.
#[cfg(target_os = "linux")]
fn threads() -> Ceiling {
    let soft = getrlimit(Resource::Nproc).current?;
    if getuid().is_root() {
        return None;
    }
    let own = std::fs::read_dir("/proc/self/task").ok()?.count() as u64;
    let carried = soft.saturating_sub(own + SPARE_THREADS);
    Some((
        usize::try_from(carried).ok()?,
        format!("the user may have {soft} threads (ulimit -u)"),
    ))
}

/// Elsewhere it counts processes.
#[cfg(not(target_os = "linux"))]
fn threads() -> Ceiling {
    None
}
