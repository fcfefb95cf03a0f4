//! How much address space the process has left (RLIMIT_AS, `ulimit -v`). An allocation that finds none
//! ends the process, so code that is about to take much asks first.

#[cfg(unix)]
use std::fs::File;
use std::num::NonZero;
#[cfg(unix)]
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::available_parallelism;

#[cfg(unix)]
use rustix::process::{Resource, getrlimit};

use crate::lock::{ADDRESS_SPACE, Mutex, lock};

/// What stays for all that takes little and does not ask: a refusal, a line of the log.
const RESERVE: usize = 16 << 20;
/// What is worth a system call before it is taken.
const MUCH: usize = 16 << 10;
/// What a thread takes beside its stack: guard pages, a stack for signals, and its allocations, which
/// take a page each where glibc finds no room for a heap.
pub(crate) const BESIDE_STACK: usize = 144 << 10;
/// What a thread that serves a connection takes later, when its peer sends much: a read, and answers to it.
pub(crate) const LATER: usize = 128 << 10;
/// What a program's own threads may take before the first connection comes.
const OWN_THREADS: usize = 24 << 20;
/// glibc makes a heap of this size for each new thread, while there is room for it, up to so many for
/// each processor. So of little address space it leaves no more than the rest of a division.
const HEAP: usize = 64 << 20;
const HEAPS_PER_PROCESSOR: usize = 8;

/// glibc keeps the stacks of threads that have ended for the next ones, up to so much of them.
const KEPT_STACKS: usize = 40 << 20;

/// There was no limit when that was last asked for. Each connection asks when it begins, and not for each read.
static UNLIMITED: AtomicBool = AtomicBool::new(false);

/// Bytes that are left. `None`: there is no limit, or the system does not tell.
#[cfg(unix)]
pub(crate) fn left() -> Option<usize> {
    let limit = match getrlimit(Resource::As).current {
        // Of 32 bits, some systems keep the half for themselves.
        limit if cfg!(target_pointer_width = "32") => limit.unwrap_or(u64::MAX).min(2 << 30),
        limit => {
            UNLIMITED.store(limit.is_none(), Relaxed);
            limit?
        }
    };
    Some(usize::try_from(limit).ok()?.saturating_sub(used()?))
}

/// Windows has no such limit.
#[cfg(windows)]
pub(crate) fn left() -> Option<usize> {
    None
}

/// How many bytes connections will find, of how many; to be asked before their threads start.
pub(crate) fn left_for_connections() -> Option<(usize, usize)> {
    let left = left()?;
    keep_from_heaps(left, RESERVE + OWN_THREADS);
    let now = self::left()?;
    let heaps = (now / HEAP).min(most_heaps());
    Some((now.saturating_sub(heaps * HEAP + RESERVE), left))
}

/// Whether a connection may begin, on a thread that takes so many bytes for its stack, beside others that will take
/// more; so that the reserve stays.
pub(crate) fn has_room_for_thread(stack: usize, others: usize) -> bool {
    let needed = RESERVE + BESIDE_STACK + stack + others.saturating_mul(LATER);
    let Some(left) = left() else {
        return true;
    };
    keep_from_heaps(left, needed);
    self::left().is_none_or(|left| left >= needed)
}

/// How many stacks of this size the system keeps of threads that have ended. To take one takes nothing that is left.
pub(crate) fn most_kept_stacks(stack: usize) -> usize {
    match cfg!(target_env = "gnu") {
        true => KEPT_STACKS / stack.max(1),
        false => 0,
    }
}

/// Whether so many bytes may be taken, so that the reserve stays. Little need not ask.
pub(crate) fn has_room(bytes: usize) -> bool {
    bytes < MUCH
        || UNLIMITED.load(Relaxed)
        || left().is_none_or(|left| left >= RESERVE.saturating_add(bytes))
}

/// Where heaps would leave less than is needed, takes that rest, so that the last heap finds no room.
fn keep_from_heaps(left: usize, needed: usize) {
    static KEPT: Mutex<Vec<Vec<u8>>, ADDRESS_SPACE> = Mutex::new(Vec::new());
    let (heaps, rest) = (left / HEAP, left % HEAP);
    let in_vain = needed + BESIDE_STACK > HEAP;
    if heaps == 0 || heaps > most_heaps() || rest >= needed || in_vain {
        return;
    }
    // Not touched, it takes no memory.
    let mut kept = Vec::new();
    if kept.try_reserve_exact(rest + BESIDE_STACK).is_ok() {
        lock(&KEPT).push(kept);
    }
}

/// How many heaps glibc makes beside the first. An environment variable may tell it to make fewer.
pub(crate) fn most_heaps() -> usize {
    static MOST: OnceLock<usize> = OnceLock::new();
    *MOST.get_or_init(|| {
        let told = std::env::var("MALLOC_ARENA_MAX").ok();
        let told = told.and_then(|told| told.parse::<usize>().ok());
        let processors = available_parallelism().map_or(1, NonZero::get);
        match cfg!(target_env = "gnu") {
            true => told.map_or(HEAPS_PER_PROCESSOR * processors, |told| {
                told.saturating_sub(1)
            }),
            false => 0,
        }
    })
}

/// The size of the process: field 23 of /proc/self/stat (proc(5)).
#[cfg(unix)]
fn used() -> Option<usize> {
    static STAT: OnceLock<Option<File>> = OnceLock::new();
    // Open for good: it is asked for when descriptors may have run out, and takes no memory.
    let stat = STAT.get_or_init(|| File::open("/proc/self/stat").ok());
    let mut text = [0; 1024];
    let len = stat.as_ref()?.read_at(&mut text, 0).ok()?;
    let text = text.get(..len)?;
    // The name in front may hold anything, and ends with the last bracket.
    let name = text.iter().rposition(|&byte| byte == b')')?;
    let fields = text.get(name + 1..)?.split(|&byte| byte == b' ');
    let size = fields.filter(|field| !field.is_empty()).nth(20)?;
    std::str::from_utf8(size).ok()?.parse().ok()
}

#[cfg(test)]
mod tests;
