//! The methods that a stream around another one passes on to it.

/// The methods of [`Transport`](super::Transport) named after `=>`, as the stream within has them:
/// `forward!(this => &this.stream; try_read, try_write);`
macro_rules! forward {
    ($this:ident => $stream:expr; $($method:ident),+ $(,)?) => {
        $(crate::transport::forward!(@$method $this, $stream);)+
    };
    (@read $this:ident, $stream:expr) => {
        fn read(
            &self,
            buffer: &mut [u8],
            deadline: Option<std::time::Instant>,
        ) -> std::io::Result<usize> {
            let $this = self;
            crate::transport::Transport::read($stream, buffer, deadline)
        }
    };
    (@try_read $this:ident, $stream:expr) => {
        fn try_read(&self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let $this = self;
            crate::transport::Transport::try_read($stream, buffer)
        }
    };
    (@try_write $this:ident, $stream:expr) => {
        fn try_write(&self, buffers: &[std::io::IoSlice<'_>]) -> std::io::Result<usize> {
            let $this = self;
            crate::transport::Transport::try_write($stream, buffers)
        }
    };
    (@wait_writable $this:ident, $stream:expr) => {
        fn wait_writable(&self, deadline: std::time::Instant) -> std::io::Result<()> {
            let $this = self;
            crate::transport::Transport::wait_writable($stream, deadline)
        }
    };
    (@wake_when_writable $this:ident, $stream:expr) => {
        fn wake_when_writable(&self, waker: &crate::transport::Waker) {
            let $this = self;
            crate::transport::Transport::wake_when_writable($stream, waker);
        }
    };
    (@source $this:ident, $stream:expr) => {
        fn source(&self) -> Option<crate::transport::Source<'_>> {
            let $this = self;
            crate::transport::Transport::source($stream)
        }
    };
    (@shutdown $this:ident, $stream:expr) => {
        fn shutdown(&self, how: crate::transport::How) {
            let $this = self;
            crate::transport::Transport::shutdown($stream, how);
        }
    };
    (@peer_addr $this:ident, $stream:expr) => {
        fn peer_addr(&self) -> Option<std::net::SocketAddr> {
            let $this = self;
            crate::transport::Transport::peer_addr($stream)
        }
    };
    (@peer $this:ident, $stream:expr) => {
        fn peer(&self) -> crate::http::Peer {
            let $this = self;
            crate::transport::Transport::peer($stream)
        }
    };
    (@never_calls_back $this:ident, $stream:expr) => {
        fn never_calls_back(&self) -> bool {
            let $this = self;
            crate::transport::Transport::never_calls_back($stream)
        }
    };
    (@clock $this:ident, $stream:expr) => {
        fn clock(&self) -> Option<&crate::transport::Clock> {
            let $this = self;
            crate::transport::Transport::clock($stream)
        }
    };
}

pub(crate) use forward;
