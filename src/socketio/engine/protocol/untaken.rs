//! What the client has sent and the application has not taken: how much that is, and the POST that is held because of
//! it.

/// So many messages of a client that polls wait for the application at once. The rest of a body waits as it came: a
/// message of a byte takes many times as much.
pub(crate) const MOST_UNTAKEN: usize = 1024;

#[derive(Debug, Default)]
pub struct Untaken {
    messages: usize,
    bytes: usize,
    held_post: Option<HeldPost>,
}

/// A POST that has no answer yet: too much waits for the application.
#[derive(Debug)]
pub struct HeldPost {
    /// What of its body has not been read.
    pub rest: Option<String>,
}

impl Untaken {
    /// A message of so many bytes waits for the application.
    pub fn add(&mut self, bytes: usize) {
        self.messages += 1;
        self.bytes += bytes;
    }

    /// The application has taken one.
    pub fn remove(&mut self, bytes: usize) {
        self.messages = self.messages.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    pub fn is_empty(&self) -> bool {
        self.messages == 0
    }

    /// Another message of a body may be read.
    pub fn has_room(&self) -> bool {
        self.messages < MOST_UNTAKEN
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn hold_post(&mut self, rest: Option<String>) {
        self.held_post = Some(HeldPost { rest });
    }

    pub fn is_post_held(&self) -> bool {
        self.held_post.is_some()
    }

    /// The POST that is held, whatever waits.
    pub fn take_post(&mut self) -> Option<HeldPost> {
        self.held_post.take()
    }

    /// The POST that is held, once everything before the rest of its body has been taken.
    pub fn take_post_to_read_on(&mut self) -> Option<HeldPost> {
        let is_empty = self.is_empty();
        self.held_post
            .take_if(|held| held.rest.is_none() || is_empty)
    }
}
