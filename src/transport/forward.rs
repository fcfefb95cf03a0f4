//! The methods that a stream around another one passes on to it.

/// The methods of [`Transport`](super::Transport) named after `=>`, as the stream within has them:
/// `forward!(this => &this.stream; try_read, try_write);`
macro_rules! forward {
    ($this:ident => $stream:expr; $($method:ident),+ $(,)?) => {
        $(crate::transport::forward!(@$method $this => $stream);)+
    };
    (@read $($to:tt)+) => {
        crate::transport::forward!(
            $($to)+; fn read(buffer: &mut [u8], deadline: Option<std::time::Instant>) -> std::io::Result<usize>
        );
    };
    (@try_read $($to:tt)+) => {
        crate::transport::forward!($($to)+; fn try_read(buffer: &mut [u8]) -> std::io::Result<usize>);
    };
    (@try_write $($to:tt)+) => {
        crate::transport::forward!(
            $($to)+; fn try_write(buffers: &[std::io::IoSlice<'_>]) -> std::io::Result<usize>
        );
    };
    (@wait_writable $($to:tt)+) => {
        crate::transport::forward!($($to)+; fn wait_writable(deadline: std::time::Instant) -> std::io::Result<()>);
    };
    (@wake_when_writable $($to:tt)+) => {
        crate::transport::forward!($($to)+; fn wake_when_writable(waker: &crate::transport::Waker) -> ());
    };
    (@source $($to:tt)+) => {
        crate::transport::forward!($($to)+; fn source() -> Option<crate::transport::Source<'_>>);
    };
    (@shutdown $($to:tt)+) => {
        crate::transport::forward!($($to)+; fn shutdown(how: crate::transport::How) -> ());
    };
    (@peer_addr $($to:tt)+) => {
        crate::transport::forward!($($to)+; fn peer_addr() -> Option<std::net::SocketAddr>);
    };
    (@peer $($to:tt)+) => {
        crate::transport::forward!($($to)+; fn peer() -> crate::http::Peer);
    };
    (@never_calls_back $($to:tt)+) => {
        crate::transport::forward!($($to)+; fn never_calls_back() -> bool);
    };
    (@clock $($to:tt)+) => {
        crate::transport::forward!($($to)+; fn clock() -> Option<&crate::transport::Clock>);
    };
    ($this:ident => $stream:expr; fn $method:ident($($name:ident: $type:ty),*) -> $result:ty) => {
        fn $method(&self, $($name: $type),*) -> $result {
            let $this = self;
            crate::transport::Transport::$method($stream, $($name),*)
        }
    };
}

pub(crate) use forward;
