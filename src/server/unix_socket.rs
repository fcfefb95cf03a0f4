//! Where a server listens for programs of its own machine: a Unix socket, its file, and the file's end.

use std::error::Error;
use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::capacity::BACKLOG;
use crate::poller::Source;
use crate::transport::unix::{UnixAddress, new_socket};

/// How long other programs may hold a directory's lock while they bind a socket there.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where a server listens for programs of its own machine, for [`ServerBuilder::listen_unix`]: a socket file, or an
/// abstract name. Unix alone.
///
/// [`ServerBuilder::listen_unix`]: crate::ServerBuilder::listen_unix
///
/// ```
/// use wshub::UnixSocket;
///
/// let own = UnixSocket::new("/run/hub/hub.sock"); // for programs of the same user
/// let shared = UnixSocket::new("/run/hub/hub.sock").with_mode(0o660); // and for those of its group
/// let on_linux = UnixSocket::new("@hub"); // an abstract name: no file
/// ```
///
/// The guide: [deployment](crate::guide::deployment).
#[derive(Clone, Debug)]
pub struct UnixSocket {
    address: UnixAddress,
    mode: u32,
}

impl UnixSocket {
    /// A path; or, on Linux, an abstract name where it begins with `@`, as systemd writes it (`./@name` is a file).
    /// The system takes about 100 bytes.
    pub fn new(address: impl AsRef<OsStr>) -> Self {
        UnixSocket {
            address: UnixAddress::new(address.as_ref()),
            mode: 0o600,
        }
    }

    /// The mode of the socket file: a program that may write to it may connect. Default `0o600`, programs of the same
    /// user, and of root. `0o660` adds those of the file's group: the server's, or the directory's where that has the
    /// setgid bit. It counts before the first client can connect, whatever the umask says. An abstract name has no
    /// mode: every program of its network namespace may connect, so of the machine where there is one.
    #[must_use]
    pub fn with_mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    pub(crate) fn bind(&self) -> io::Result<BoundUnix> {
        let bound = match self.address.file() {
            Some(path) => bind_file(path, &self.address, self.mode),
            None => bind_new(&self.address, None).map_err(NoSocket::System),
        };
        bound.map_err(|why| {
            let address = self.address.to_string();
            io::Error::new(why.kind(), UnixNotBound { address, why })
        })
    }
}

impl From<&str> for UnixSocket {
    fn from(address: &str) -> Self {
        UnixSocket::new(address)
    }
}

impl From<String> for UnixSocket {
    fn from(address: String) -> Self {
        UnixSocket::new(address)
    }
}

impl From<&Path> for UnixSocket {
    fn from(address: &Path) -> Self {
        UnixSocket::new(address)
    }
}

impl From<&PathBuf> for UnixSocket {
    fn from(address: &PathBuf) -> Self {
        UnixSocket::new(address)
    }
}

impl From<PathBuf> for UnixSocket {
    fn from(address: PathBuf) -> Self {
        UnixSocket::new(address)
    }
}

/// A listener, and the file that goes with it.
pub(crate) struct BoundUnix {
    /// Dropped before the listener: while that listens, no other server takes the file for one that is left over, and
    /// its inode is not given away.
    _file: Option<SocketFile>,
    listener: UnixListener,
}

impl BoundUnix {
    /// The file belongs to the process that made it.
    pub fn inherited(listener: UnixListener) -> Self {
        BoundUnix {
            _file: None,
            listener,
        }
    }

    pub fn accept(&self) -> io::Result<UnixStream> {
        let (stream, _) = self.listener.accept()?;
        #[cfg(target_vendor = "apple")]
        rustix::net::sockopt::set_socket_nosigpipe(&stream, true)?;
        Ok(stream)
    }

    pub fn source(&self) -> Source<'_> {
        (&self.listener).into()
    }

    pub fn prepare(&self) -> io::Result<()> {
        self.listener.set_nonblocking(true)
    }
}

/// A file that is removed as its listener goes, if it is still that one.
struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl SocketFile {
    fn of(path: &Path) -> io::Result<Self> {
        let found = fs::symlink_metadata(path)?;
        Ok(SocketFile {
            // The working directory may be another one at the end.
            path: std::path::absolute(path)?,
            device: found.dev(),
            inode: found.ino(),
        })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let found = fs::symlink_metadata(&self.path);
        if found.is_ok_and(|it| (it.dev(), it.ino()) == (self.device, self.inode)) {
            // Where it cannot be removed, the next server finds that no process listens there.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Under the lock of the directory, so that of two servers which start at once neither takes the file of the other,
/// a program that is about to listen, for one that is left over.
fn bind_file(path: &Path, address: &UnixAddress, mode: u32) -> Result<BoundUnix, NoSocket> {
    let _turn = lock_directory(path).map_err(NoSocket::System)?;
    remove_if_stale(path, address)?;
    bind_new(address, Some((path, mode))).map_err(NoSocket::System)
}

/// No client can connect before the mode is set, because the socket does not listen yet.
fn bind_new(address: &UnixAddress, file: Option<(&Path, u32)>) -> io::Result<BoundUnix> {
    let socket = new_socket()?;
    rustix::net::bind(&socket, &address.encode()?)?;
    let file = match file {
        Some((path, mode)) => {
            let file = SocketFile::of(path)?;
            fs::set_permissions(path, Permissions::from_mode(mode))?;
            Some(file)
        }
        None => None,
    };
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(BoundUnix {
        listener: socket.into(),
        _file: file,
    })
}

/// Until the file is closed.
fn lock_directory(path: &Path) -> io::Result<File> {
    let parent = path.parent().filter(|it| !it.as_os_str().is_empty());
    let directory = File::open(parent.unwrap_or(Path::new(".")))?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        match flock(directory.as_fd(), FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::AGAIN) if Instant::now() < deadline => {
                // The system waits for such a lock without a deadline, or not at all; two servers rarely start at once.
                thread::sleep(Duration::from_millis(10));
            }
            Err(Errno::INTR) => {}
            locked => return Ok(locked.map(|()| directory)?),
        }
    }
}

/// Removes a socket file on which no process listens any more, as a killed server leaves it.
fn remove_if_stale(path: &Path, address: &UnixAddress) -> Result<(), NoSocket> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(NoSocket::System(error)),
        Ok(found) if !found.file_type().is_socket() => return Err(NoSocket::Foreign),
        Ok(_) => {}
    }
    match address.connect(Duration::ZERO) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(NoSocket::System)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            Err(NoSocket::System(io::ErrorKind::AddrInUse.into()))
        }
        // Any other answer: a process has it.
        Ok(_) | Err(_) => Err(NoSocket::Live),
    }
}

/// Why there is no socket.
#[derive(Debug)]
enum NoSocket {
    /// A process listens there.
    Live,
    /// What is there is no socket.
    Foreign,
    System(io::Error),
}

impl NoSocket {
    fn kind(&self) -> io::ErrorKind {
        match self {
            NoSocket::Live => io::ErrorKind::AddrInUse,
            NoSocket::Foreign => io::ErrorKind::AlreadyExists,
            NoSocket::System(error) => error.kind(),
        }
    }
}

/// Where a server cannot listen, why, and what to do.
#[derive(Debug)]
struct UnixNotBound {
    address: String,
    why: NoSocket,
}

impl fmt::Display for UnixNotBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot listen on the Unix socket {}: ", self.address)?;
        let error = match &self.why {
            NoSocket::Live => {
                return f.write_str(
                    "another program listens there; stop that one, or give another path",
                );
            }
            NoSocket::Foreign => {
                return f.write_str(
                    "what is there is no socket, and is left alone; remove it, or give another path",
                );
            }
            NoSocket::System(error) => error,
        };
        match error.kind() {
            io::ErrorKind::AddrInUse => f.write_str(
                "it is taken, maybe by a program of another user; stop that one, or give another path",
            ),
            io::ErrorKind::NotFound => f.write_str(
                "its directory does not exist; make it before (in a unit of systemd: RuntimeDirectory=)",
            ),
            io::ErrorKind::PermissionDenied => write!(
                f,
                "{error}; give a directory that this user may read and write, as one below /run or \
                 $XDG_RUNTIME_DIR"
            ),
            io::ErrorKind::ReadOnlyFilesystem => write!(
                f,
                "{error}; give a path where this program may write, as on a tmpfs at /run, or on \
                 Linux an abstract name, @name"
            ),
            io::ErrorKind::WouldBlock => f.write_str(
                "another program holds the lock of its directory (flock); give a directory of its own",
            ),
            _ => match Errno::from_io_error(error) {
                Some(Errno::NAMETOOLONG) => {
                    f.write_str("the path is longer than the system takes, about 100 bytes")
                }
                Some(Errno::AFNOSUPPORT) => f.write_str(
                    "abstract names are for Linux; give a path (./@name for a file of that name)",
                ),
                _ => error.fmt(f),
            },
        }
    }
}

impl Error for UnixNotBound {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.why {
            NoSocket::System(error) => Some(error),
            NoSocket::Live | NoSocket::Foreign => None,
        }
    }
}
