//! A thread that does nothing but lead, for models of what it leads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread::{self, JoinHandle};

use crate::limits::Limits;
use crate::outbox::leader_queue::LeaderQueue;
use crate::poller::Mailbox;
use crate::server::leader::Leader;
use crate::server::leader::mail::Mail;
use crate::server::log_writer::LogWriter;
use crate::server::threads::ServerThreads;

pub struct Guide {
    pub leader_queue: Arc<LeaderQueue>,
    mailbox: Arc<Mailbox<Mail>>,
    stopping: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Guide {
    pub fn start() -> Self {
        // Nothing here is worth a line.
        let log_writer = LogWriter::new(ServerThreads::new(0, 0));
        let leader = Leader::new(log_writer, &Limits::default()).expect("a leader");
        let stopping = Arc::<AtomicBool>::default();
        Guide {
            leader_queue: leader.leader_queue.clone(),
            mailbox: leader.mailbox.clone(),
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
        leader.poll(until, &mut put, || !stopping.load(SeqCst));
    }
    let waiting = leader.leader_queue.stop();
    waiting.iter().for_each(|outbox| outbox.abort());
    leader.abort_stalled();
}
