//! Tells the service manager what becomes of this program: sd_notify(3), as far as a server needs it.

use std::ffi::OsStr;
use std::io;
#[cfg(target_os = "linux")]
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// Says `READY=1` or `STOPPING=1`, if somebody wants to know: systemd does for a unit with `Type=notify`.
pub fn tell(state: &str) -> io::Result<()> {
    let Some(name) = std::env::var_os("NOTIFY_SOCKET") else {
        return Ok(());
    };
    let text = |error| format!("NOTIFY_SOCKET={}: {error}", name.to_string_lossy());
    send(state, &name).map_err(|error| io::Error::new(error.kind(), text(error)))
}

fn send(state: &str, name: &OsStr) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    // The manager may be busy: a service does not wait for it for ever.
    socket.set_write_timeout(Some(Duration::from_secs(5)))?;
    socket.send_to_addr(state.as_bytes(), &address(name)?)?;
    Ok(())
}

/// A path; on Linux an abstract name where it begins with `@`.
fn address(name: &OsStr) -> io::Result<SocketAddr> {
    match name.as_bytes().strip_prefix(b"@") {
        #[cfg(target_os = "linux")]
        Some(name) => SocketAddr::from_abstract_name(name),
        _ => SocketAddr::from_pathname(name),
    }
}
