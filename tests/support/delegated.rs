//! What a test's own Transport leaves to the stream below it.

/// All but reading and writing, and readiness, by the field of that name.
macro_rules! delegated {
    ($stream:ident) => {
        fn wait_writable(&self, deadline: std::time::Instant) -> std::io::Result<()> {
            wshub::Transport::wait_writable(&self.$stream, deadline)
        }

        fn wake_when_writable(&self, waker: &wshub::Waker) {
            wshub::Transport::wake_when_writable(&self.$stream, waker);
        }

        fn shutdown(&self, how: wshub::How) {
            wshub::Transport::shutdown(&self.$stream, how);
        }

        fn peer_addr(&self) -> Option<std::net::SocketAddr> {
            wshub::Transport::peer_addr(&self.$stream)
        }
    };
}

pub(crate) use delegated;
