//! rustix as wshub's models see it: the real one, but for poll, which goes to the played kernel.

pub use real::*;

pub mod event {
    use std::kernel::{self, Polled};
    use std::marker::PhantomData;
    use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
    use std::time::Duration;

    pub use real::event::{PollFlags, Timespec};

    pub struct PollFd<'a> {
        fd: RawFd,
        wanted: PollFlags,
        ready: bool,
        lifetime: PhantomData<&'a ()>,
    }

    impl<'a> PollFd<'a> {
        pub fn new<Fd: AsFd>(fd: &'a Fd, wanted: PollFlags) -> Self {
            PollFd::from_borrowed_fd(fd.as_fd(), wanted)
        }

        pub fn from_borrowed_fd(fd: BorrowedFd<'a>, wanted: PollFlags) -> Self {
            PollFd {
                fd: fd.as_raw_fd(),
                wanted,
                ready: false,
                lifetime: PhantomData,
            }
        }

        pub fn revents(&self) -> PollFlags {
            match self.ready {
                true => self.wanted,
                false => PollFlags::empty(),
            }
        }
    }

    pub fn poll(fds: &mut [PollFd<'_>], timeout: Option<&Timespec>) -> real::io::Result<usize> {
        let mut polled: Vec<Polled> = fds
            .iter()
            .map(|one| Polled {
                fd: one.fd,
                write: one.wanted.contains(PollFlags::OUT),
                ready: false,
            })
            .collect();
        let timeout = timeout.map(|at| Duration::new(at.tv_sec as u64, at.tv_nsec as u32));
        let count = kernel::poll(&mut polled, timeout);
        for (one, polled) in fds.iter_mut().zip(polled) {
            one.ready = polled.ready;
        }
        Ok(count)
    }
}
