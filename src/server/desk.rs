//! What the application thread has taken off the channel and not yielded yet, and which events it is: it outlives the
//! iterator.

use std::collections::{HashMap, VecDeque};

use super::admission::slots::Slot;
use super::batch::Messages;
use super::inbox::{Inbox, InboxItem};
use super::members::Members;
use crate::connection::by_id::ById;
use crate::connection::credit::Permit;
use crate::connection::{CloseEvent, Connection};
use crate::event::Event;
use crate::message::Message;
use crate::outbox::ReadyState;

#[derive(Default)]
pub(crate) struct Desk {
    batch: Option<(Permit, Messages)>,
    /// An `Open`, or the `Error` that goes before a `Close`.
    single: Option<Event>,
    close: Option<Event>,
    /// What this thread has read beside the batch, in order.
    pub read: VecDeque<InboxItem>,
    /// Connections whose `Open` was yielded, and whose `Close` has not come.
    open: HashMap<ById, Slot>,
    /// Nothing more comes.
    pub ended: bool,
}

impl Desk {
    /// More events follow the one that was yielded last.
    #[inline]
    pub fn has_more(&self) -> bool {
        let batch = self.batch.as_ref();
        batch.is_some_and(|(_, messages)| messages.left() > 0)
            || self.close.is_some()
            || !self.read.is_empty()
    }

    /// The next message of the batch, where the application still wants those of its connection.
    #[inline]
    pub fn next_message(&mut self) -> Option<(Connection, Message)> {
        let (permit, messages) = self.batch.as_mut()?;
        let connection = permit.connection();
        if connection.account().is_dismissed() {
            return None;
        }
        let message = messages.next()?;
        Some((connection.clone(), message))
    }

    /// The next event after the batch, of which nothing is left that the application wants.
    #[inline(never)]
    pub fn next_beside_messages(&mut self, inbox: &Inbox) -> Option<Event> {
        // The application is done with these messages: their permit is given back.
        if let Some((_, messages)) = self.batch.take() {
            inbox.taken(messages.left());
        }
        if let Some(event) = self.single.take() {
            match &event {
                // The application was told before, or wants nothing more of the connection.
                Event::Error(connection, _) if connection.account().is_dismissed() => {
                    inbox.taken(1);
                }
                // After it comes the Close and nothing else.
                Event::Error(connection, _) => {
                    connection.account().dismiss();
                    return Some(event);
                }
                _ => return Some(event),
            }
        }
        // prevents: a connection left at the end is not closed
        self.close.take().or_else(|| self.close_for_who_is_left())
    }

    /// After the end: a connection whose thread did not end with the server is closed for the application all the same.
    fn close_for_who_is_left(&mut self) -> Option<Event> {
        if !self.ended {
            return None;
        }
        let id = self.open.keys().next()?.0.id();
        let (ById(connection), _) = self.open.remove_entry(&id)?;
        connection.outbox().finish();
        Some(Event::Close(connection, CloseEvent::abnormal()))
    }

    fn find_open(&self, id: u64) -> Option<&Connection> {
        let (connection, _) = self.open.get_key_value(&id)?;
        Some(&connection.0)
    }

    /// Takes what an item brings; nothing of the one before is left.
    pub fn put(&mut self, inbox: &Inbox, members: &Members, item: InboxItem) {
        match item {
            InboxItem::Open(connection, slot) => {
                members.announce(&connection);
                self.open.insert(ById(connection.clone()), slot);
                self.single = Some(Event::Open(connection));
            }
            InboxItem::Messages(permit, messages) => self.batch = Some((permit, messages)),
            InboxItem::Error(id, error) => match self.find_open(id) {
                Some(connection) => {
                    self.single = Some(Event::Error(connection.clone(), error));
                }
                // Its end came first.
                None => inbox.taken(1),
            },
            InboxItem::Drained(id) => {
                let open = self
                    .find_open(id)
                    .filter(|it| it.ready_state() == ReadyState::Open);
                match open.filter(|it| !it.account().is_dismissed()) {
                    Some(connection) => {
                        connection.outbox().note_room_notice_taken();
                        self.single = Some(Event::Drained(connection.clone()));
                    }
                    // It is closing, and nothing is sent any more.
                    None => inbox.taken(1),
                }
            }
            InboxItem::End(connection, end) => {
                self.open.remove(&connection.id());
                let (error, close) = *end;
                self.single = error.map(|error| Event::Error(connection.clone(), error));
                self.close = Some(Event::Close(connection, close));
            }
            // Taken before it comes here.
            InboxItem::Woken => {}
            InboxItem::Stopped => self.ended = true,
        }
    }
}
