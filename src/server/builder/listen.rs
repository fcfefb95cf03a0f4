//! Where the server listens.

use std::fmt;
use std::io;
use std::net::{TcpListener, ToSocketAddrs};

use super::ServerBuilder;
use crate::logging::log_line;
use crate::server::Server;
#[cfg(unix)]
use crate::server::inherited;
use crate::server::listen::Listening;
use crate::server::listener::Listener;
#[cfg(unix)]
use crate::server::listener::ListeningSocket;
use crate::server::tcp_socket;
#[cfg(unix)]
use crate::server::unix_socket::UnixSocket;
use crate::tls::Tls;

/// Ports that browsers refuse to open a WebSocket to (WHATWG Fetch, "bad port"), above 1023.
const BAD_PORTS: [u16; 19] = [
    1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669,
    6679, 6697, 10080,
];

impl ServerBuilder {
    /// Listens on `addr` and starts: short for [`listen`](ServerBuilder::listen) and [`start`](ServerBuilder::start).
    /// The application takes events with [`Server::events`].
    ///
    /// # Errors
    /// As these two.
    pub fn bind(self, addr: impl ToSocketAddrs + fmt::Debug) -> io::Result<Server> {
        self.listen(addr)?.start()
    }

    /// Adds an address and listens on it from now on: connections wait until the server has started. The system holds
    /// up to 1,024 of them, fewer if its own limit is lower (`net.core.somaxconn`). Port 0 picks a free one
    /// ([`Server::local_addrs`] tells it).
    ///
    /// `localhost:9001` means both loopbacks, 127.0.0.1 and `[::1]`, on one port, because a browser takes either of
    /// them. Of another name with several addresses it is the first that belongs to this machine. `[::]` also covers
    /// IPv4 where the system says so, as Linux does; then `0.0.0.0` beside it is already taken.
    ///
    /// Each listener goes by its own address: on a loopback only the names of loopback are this server's
    /// ([`hosts`](ServerBuilder::hosts)). A stream that is [attached](Server::attach) counts as one of the first
    /// listener.
    ///
    /// ```
    /// use wshub::Server;
    ///
    /// let server = Server::builder()
    ///     .listen("127.0.0.1:0")?
    ///     .listen("127.0.0.2:0")?
    ///     .start()?;
    /// assert_eq!(server.local_addrs().len(), 2);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the address cannot be bound (the port is taken, the address is not this machine's): the text names it and
    /// says what to do, the source is the system's error.
    pub fn listen(self, addr: impl ToSocketAddrs + fmt::Debug) -> io::Result<Self> {
        self.add_listeners(tcp_socket::bind(addr)?, None)
    }

    /// As [`listen`](ServerBuilder::listen), and speaks TLS there with this certificate, whatever
    /// [`tls`](ServerBuilder::tls) says of the others. Feature `tls`.
    ///
    /// ```no_run
    /// use wshub::{Server, Tls};
    ///
    /// let tls = Tls::from_pem_files("cert.pem", "key.pem")?;
    /// let server = Server::builder()
    ///     .listen("127.0.0.1:9001")? // in clear, for this machine
    ///     .listen_tls("0.0.0.0:9443", &tls)?
    ///     .start()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`listen`](ServerBuilder::listen).
    #[cfg(feature = "tls")]
    pub fn listen_tls(self, addr: impl ToSocketAddrs + fmt::Debug, tls: &Tls) -> io::Result<Self> {
        self.add_listeners(tcp_socket::bind(addr)?, Some(tls))
    }

    /// As [`listen`](ServerBuilder::listen), on a listener that is bound already, with options of your own. It is set
    /// to non-blocking mode.
    ///
    /// ```
    /// use std::net::{Ipv6Addr, TcpListener};
    /// use wshub::Server;
    ///
    /// let listener = TcpListener::bind((Ipv6Addr::LOCALHOST, 0))?;
    /// let port = listener.local_addr()?.port();
    /// let server = Server::builder().listen_on(listener)?.start()?;
    /// assert_eq!(server.local_addr()?.port(), port);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// The system's, where the socket cannot listen.
    pub fn listen_on(self, listener: TcpListener) -> io::Result<Self> {
        self.add_listeners([listener], None)
    }

    /// Listens on a Unix socket, for programs of this machine: a proxy in front, tools beside it. A path, a
    /// [`UnixSocket`] with the mode of its file, or on Linux an abstract name, `@name`. Unix alone; not on Windows.
    ///
    /// A socket file that a killed server left behind is removed. If another program listens there, or the file is of
    /// another kind, that is an error. The lock (`flock`) of the directory is held meanwhile. The file is removed when
    /// the server stops listening.
    ///
    /// Peers are [`Peer::Unix`](crate::Peer::Unix): they have no address, and no limit of connections for each
    /// address. Names that are local by their form are this server's there ([`hosts`](ServerBuilder::hosts)). Behind a
    /// proxy, name it as `unix` to [`trusted_proxies`](ServerBuilder::trusted_proxies). TLS is spoken if
    /// `tls` (feature `tls`) is set.
    ///
    /// ```
    /// use wshub::{Server, UnixSocket};
    ///
    /// # let directory = std::env::temp_dir().join(format!("wshub-doc-{}", std::process::id()));
    /// # std::fs::create_dir_all(&directory)?;
    /// let path = directory.join("hub.sock");
    /// let server = Server::builder()
    ///     .listen_unix(UnixSocket::new(&path).with_mode(0o660))?
    ///     .start()?;
    /// # drop(server);
    /// # std::fs::remove_dir(&directory)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// When it cannot be bound: the text names it and says what to do.
    #[cfg(unix)]
    pub fn listen_unix(self, socket: impl Into<UnixSocket>) -> io::Result<Self> {
        let bound = socket.into().bind()?;
        self.add_listeners([ListeningSocket::Unix(bound)], None)
    }

    /// Listens on the sockets that the process was given as it started (`LISTEN_FDS`, sd_listen_fds(3)): by a socket
    /// unit of systemd, by `systemd-socket-activate`, or by another supervisor. All that were not taken before; TCP and
    /// Unix sockets. Linux alone.
    ///
    /// The socket belongs to the process that gave it, and so do its file and mode. It stays open while this process
    /// restarts, so that no client is refused meanwhile. Clients that wait as this server
    /// [drains](crate::ServerHandle::drain) or ends are left to the next process. Programs that this one executes do
    /// not get it.
    ///
    /// ```no_run
    /// use std::io::ErrorKind;
    /// use wshub::Server;
    ///
    /// // By hand, too.
    /// let server = match Server::builder().inherited() {
    ///     Err(error) if error.kind() == ErrorKind::NotFound => Server::bind("127.0.0.1:9001")?,
    ///     builder => builder?.start()?,
    /// };
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](io::ErrorKind::NotFound) when the process was given none, or all are taken;
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) when one is not a stream socket that listens: then none is taken.
    /// The text says what to write in the unit.
    #[cfg(unix)]
    pub fn inherited(self) -> io::Result<Self> {
        self.add_listeners(inherited::take(None)?, None)
    }

    /// As [`inherited`](ServerBuilder::inherited), those of this name alone: the `FileDescriptorName=` of the socket
    /// unit, without one the unit's own name (`hub.socket`).
    ///
    /// # Errors
    /// As [`inherited`](ServerBuilder::inherited); `NotFound`, too, where none has this name.
    #[cfg(unix)]
    pub fn inherited_named(self, name: &str) -> io::Result<Self> {
        self.add_listeners(inherited::take(Some(name))?, None)
    }

    /// As [`inherited_named`](ServerBuilder::inherited_named), and speaks TLS there with this certificate, as
    /// [`listen_tls`](ServerBuilder::listen_tls). Feature `tls`.
    ///
    /// # Errors
    /// As [`inherited_named`](ServerBuilder::inherited_named).
    #[cfg(all(unix, feature = "tls"))]
    pub fn inherited_tls(self, name: &str, tls: &Tls) -> io::Result<Self> {
        self.add_listeners(inherited::take(Some(name))?, Some(tls))
    }

    fn add_listeners<L: Into<Listener>>(
        mut self,
        listeners: impl IntoIterator<Item = L>,
        tls: Option<&Tls>,
    ) -> io::Result<Self> {
        for listener in listeners {
            let listening = Listening::new(listener.into(), tls.cloned())?;
            if let Some(addr) = listening.addr {
                warn_of_bad_port(addr.port());
            }
            self.listening.push(listening);
        }
        Ok(self)
    }
}

fn warn_of_bad_port(port: u16) {
    if BAD_PORTS.contains(&port) {
        log_line!(
            Warn,
            "browsers refuse to connect to port {port}: choose another one, 8080 or 9001 for example"
        );
    }
}
