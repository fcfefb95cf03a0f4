//! A thread that does nothing but lead, for models of what it leads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread::{self, JoinHandle};

use crate::outbox::calls::Calls;
use crate::poller::Mailbox;
use crate::server::crew::Crew;
use crate::server::leader::{Leader, Mail};
use crate::server::log_writer::LogWriter;

pub struct Guide {
    pub calls: Arc<Calls>,
    mailbox: Arc<Mailbox<Mail>>,
    stopping: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Guide {
    pub fn start() -> Self {
        // Nothing here is worth a line.
        let log_writer = LogWriter::new(Crew::new(0, 0));
        let leader = Leader::new(log_writer).expect("a leader");
        let stopping = Arc::<AtomicBool>::default();
        Guide {
            calls: leader.calls().clone(),
            mailbox: leader.mailbox().clone(),
            stopping: stopping.clone(),
            thread: thread::spawn(move || lead(leader, &stopping)),
        }
    }

    pub fn stop(self) {
        self.stopping.store(true, SeqCst);
        self.mailbox.wake();
        self.thread.join().expect("who leads panicked");
    }
}

fn lead(mut leader: Leader, stopping: &AtomicBool) {
    while !stopping.load(SeqCst) {
        let until = leader.see_to_collectors();
        let mut put = |_| panic!("no connection is led");
        leader.look(until, &mut put, || !stopping.load(SeqCst));
    }
    leader.stop();
}
