//! A terminal that edits its lines itself, as that of Windows does.

use std::io::{self, Write};

pub struct Raw(());

impl Raw {
    pub fn start() -> io::Result<Raw> {
        Ok(Raw(()))
    }
}

pub fn restore() {}

pub fn print(text: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{text}")
}

pub fn read_line() -> io::Result<Option<String>> {
    super::next_line(&mut io::stdin().lock())
}
