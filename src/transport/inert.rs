//! The methods of a stream behind which there is no peer, as those of tests have most of them.

/// The methods of [`Transport`](super::Transport) that are named: nothing comes, everything is taken, and nobody is
/// told. `inert! { read, peer_addr }`
macro_rules! inert {
    ($($method:ident),+ $(,)?) => {
        $(crate::transport::inert!(@$method);)+
    };
    (@read) => {
        fn read(&self, _: &mut [u8], _: Option<std::time::Instant>) -> std::io::Result<usize> {
            Ok(0)
        }
    };
    (@try_write) => {
        fn try_write(&self, buffers: &[std::io::IoSlice<'_>]) -> std::io::Result<usize> {
            Ok(buffers.iter().map(|buffer| buffer.len()).sum())
        }
    };
    (@wait_writable) => {
        fn wait_writable(&self, _: std::time::Instant) -> std::io::Result<()> {
            Ok(())
        }
    };
    (@wake_when_writable) => {
        fn wake_when_writable(&self, _: &crate::transport::Waker) {}
    };
    (@shutdown) => {
        fn shutdown(&self, _: crate::transport::How) {}
    };
    (@peer_addr) => {
        fn peer_addr(&self) -> Option<std::net::SocketAddr> {
            None
        }
    };
}

pub(crate) use inert;
