//! The inbox: what the application reads itself comes behind all that threads have put in.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread;

use crate::connection::credit::Budget;
use crate::limits::Limits;
use crate::poller::Poller;
use crate::server::inbox::{Inbox, InboxItem};

/// A thread that has put its item in is done; another may be amid that.
pub fn what_is_read_comes_behind_what_was_put_in() {
    let poller = Poller::<()>::new().expect("a poller");
    let budget = Budget::new(&Limits::default(), |_| {});
    let inbox = Arc::new(Inbox::new(budget, poller.bell().clone(), Arc::default()));
    let [amid, done] = [1, 2].map(|number| {
        let inbox = inbox.clone();
        thread::spawn(move || inbox.put(InboxItem::Drained(number)))
    });
    done.join().unwrap();
    let mut read = VecDeque::from_iter(inbox.take());
    inbox.put_behind(&mut read, InboxItem::Drained(3));
    let place = |wanted| {
        let is_it = |item: &InboxItem| matches!(item, InboxItem::Drained(it) if *it == wanted);
        read.iter().position(is_it)
    };
    assert!(place(2).is_some() && place(2) < place(3));
    amid.join().unwrap();
}
