//! Without the feature `deflate`: types of which no value is ever made.

use super::error::{InvalidExtension, NotInflated};

/// Methods that nobody can call: each is asked of a value, and there is none.
macro_rules! never {
    ($($method:ident($($argument:ty),*) -> $result:ty;)+) => {
        $(pub fn $method(&self, $(_: $argument),*) -> $result {
            match *self {}
        })+
    };
}

#[derive(Clone, Debug)]
pub(crate) enum Compression {}

impl Compression {
    pub(crate) fn accept<'a>(&self, _: impl Iterator<Item = &'a [u8]>) -> Option<Agreed> {
        match *self {}
    }

    pub(crate) fn check<'a>(
        &self,
        _: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Option<Agreed>, InvalidExtension> {
        match *self {}
    }

    pub(crate) fn without_server_context(&self) -> &Self {
        self
    }

    never! {
        memory_per_connection() -> usize;
    }

    #[cfg(feature = "client")]
    never! {
        offer() -> String;
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Agreed {}

impl Agreed {
    never! {
        as_str() -> &str;
        server() -> Direction;
        client() -> Direction;
        inflater(Direction, usize) -> Inflater;
        packing(Direction) -> Option<Packing>;
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Direction {}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Packing {}

impl Packing {
    never! {
        pack(&[u8]) -> Option<Vec<u8>>;
        keeps_context() -> bool;
        packs(usize) -> bool;
    }
}

#[derive(Debug)]
pub(crate) struct Context;

impl Context {
    pub fn new(_: Option<Packing>) -> Self {
        Context
    }

    pub fn forget(&mut self) {}

    pub fn pack(&mut self, _: &[u8]) -> Option<Vec<u8>> {
        None
    }
}

#[derive(Debug, Default)]
pub(crate) struct Variants(());

impl Variants {
    pub fn get(
        &self,
        packing: Packing,
        _: &[u8],
        _: impl FnOnce(&[u8]) -> Vec<u8>,
    ) -> Option<&[u8]> {
        match packing {}
    }
}

#[derive(Debug)]
pub(crate) enum Inflater {}

impl Inflater {
    never! {
        allow(u64) -> ();
        hand_out(usize) -> ();
        forget_what_was_handed_out() -> ();
        begin() -> ();
        push(&[u8]) -> Result<(), NotInflated>;
        finish() -> Result<(), NotInflated>;
        output() -> &[u8];
        room() -> u64;
        is_oversized() -> bool;
        trim() -> ();
    }
}
