//! Faults of the system, as a library that LD_PRELOAD puts in front of the C library.
//!
//! The file that `WSHUB_FAULTS` names holds a call, an error number and how often that call fails, such as
//! `accept4 23 5`; the count goes down there. Missing or at 0, all goes well. `heap 0 1` asks for the bytes that are
//! allocated: the next accept puts them in place of the 0, and the count at 0. SIGUSR1 is caught and does nothing, but
//! interrupts the call it meets.

use std::ffi::{CStr, c_int, c_void};
use std::fs::{self, File};
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use libc::{pthread_attr_t, pthread_t, sockaddr, socklen_t};

/// The error that `call` ends with this time.
fn fault(call: &str) -> Option<c_int> {
    let path = std::env::var_os("WSHUB_FAULTS")?;
    let plan = fs::read_to_string(&path).ok()?;
    let mut words = plan.split_whitespace();
    let (name, error, count) = (words.next()?, words.next()?, words.next()?);
    let (error, count) = (error.parse().ok()?, count.parse::<u64>().ok()?);
    if name != call || count == 0 {
        return None;
    }
    // A plan that was taken away meanwhile does not come back.
    let mut file = File::options().write(true).truncate(true).open(path).ok()?;
    write!(file, "{call} {error} {}", count - 1).ok()?;
    Some(error)
}

/// What malloc has given out and not got back; true for the whole process with MALLOC_ARENA_MAX=1.
fn tell_heap() {
    // SAFETY: it reads the allocator's own books, under its lock.
    let books = unsafe { libc::mallinfo2() };
    if let Some(path) = std::env::var_os("WSHUB_FAULTS") {
        let _ = fs::write(path, format!("heap {} 0", books.uordblks + books.hblkhd));
    }
}

/// The C library's own function of this name.
fn real(name: &'static CStr, known: &AtomicUsize) -> usize {
    if known.load(Relaxed) == 0 {
        // SAFETY: the name ends with a zero byte.
        let found = unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) };
        known.store(found as usize, Relaxed);
    }
    known.load(Relaxed)
}

/// # Safety
/// That of accept4(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn accept4(
    listener: c_int,
    address: *mut sockaddr,
    len: *mut socklen_t,
    flags: c_int,
) -> c_int {
    type Accept = unsafe extern "C" fn(c_int, *mut sockaddr, *mut socklen_t, c_int) -> c_int;
    static REAL: AtomicUsize = AtomicUsize::new(0);
    if fault("heap").is_some() {
        tell_heap();
    }
    if let Some(error) = fault("accept4") {
        // SAFETY: errno is the thread's own.
        unsafe { *libc::__errno_location() = error };
        return -1;
    }
    // SAFETY: it is the function of this name, called with what the caller gave.
    unsafe {
        let accept: Accept = std::mem::transmute(real(c"accept4", &REAL));
        accept(listener, address, len, flags)
    }
}

/// # Safety
/// That of pthread_create(3).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pthread_create(
    thread: *mut pthread_t,
    attributes: *const pthread_attr_t,
    start: extern "C" fn(*mut c_void) -> *mut c_void,
    argument: *mut c_void,
) -> c_int {
    type Create = unsafe extern "C" fn(
        *mut pthread_t,
        *const pthread_attr_t,
        extern "C" fn(*mut c_void) -> *mut c_void,
        *mut c_void,
    ) -> c_int;
    static REAL: AtomicUsize = AtomicUsize::new(0);
    if let Some(error) = fault("pthread_create") {
        return error;
    }
    // SAFETY: as above.
    unsafe {
        let create: Create = std::mem::transmute(real(c"pthread_create", &REAL));
        create(thread, attributes, start, argument)
    }
}

extern "C" fn nothing(_: c_int) {}

extern "C" fn catch_signals() {
    // SAFETY: a zeroed sigaction is one without flags, so without SA_RESTART; the handler does nothing.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = nothing as extern "C" fn(c_int) as usize;
        libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut());
    }
}

#[used]
#[unsafe(link_section = ".init_array")]
static AT_START: extern "C" fn() = catch_signals;
