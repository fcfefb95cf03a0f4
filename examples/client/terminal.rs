//! A terminal on which a line is edited below the messages that come.

use std::io::{self, Read, StdoutLock, Write};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize, tcsetattr,
};

use crate::line::{Entered, Key, Line};

const PROMPT: &str = "> ";
/// Where the terminal does not say how wide it is.
const USUAL_WIDTH: usize = 80;

/// How the terminal was before.
static BEFORE: OnceLock<Termios> = OnceLock::new();
static LINE: Mutex<Option<Line>> = Mutex::new(None);

/// The terminal tells each key as it is pressed, until this is dropped.
pub struct Raw(());

impl Raw {
    pub fn start() -> io::Result<Raw> {
        let before = tcgetattr(io::stdin())?;
        let mut raw = BEFORE.get_or_init(|| before).clone();
        raw.local_modes
            .remove(LocalModes::ICANON | LocalModes::ECHO | LocalModes::IEXTEN);
        raw.special_codes[SpecialCodeIndex::VMIN] = 1;
        raw.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(io::stdin(), OptionalActions::Now, &raw)?;
        *line() = Some(Line::default());
        draw(&mut io::stdout().lock())?;
        Ok(Raw(()))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        restore();
    }
}

/// As it was before; also where the program ends without its guards.
pub fn restore() {
    if let Some(before) = BEFORE.get() {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
        if line().take().is_some() {
            let _ = io::stdout().write_all(b"\r\x1b[K");
        }
    }
}

/// Prints above the line that is edited, where there is one.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let erased = if line().is_some() { "\r\x1b[K" } else { "" };
    writeln!(out, "{erased}{text}")?;
    draw(&mut out)
}

/// The next line that is entered; `None` at the end of the input.
pub fn read_line() -> io::Result<Option<String>> {
    loop {
        let Some(key) = read_key()? else {
            return Ok(None);
        };
        let entered = match line().as_mut() {
            Some(line) => line.press(key),
            None => return Ok(None),
        };
        match entered {
            Entered::Nothing => draw(&mut io::stdout().lock())?,
            Entered::EndOfInput => return Ok(None),
            Entered::Line(text) => {
                print(&format!("{PROMPT}{text}"))?;
                return Ok(Some(text));
            }
        }
    }
}

fn line() -> MutexGuard<'static, Option<Line>> {
    LINE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Draws the line that is edited. The output is locked before the line is looked at: what is drawn last is the latest.
fn draw(out: &mut StdoutLock) -> io::Result<()> {
    let width = match tcgetwinsize(&*out) {
        Ok(size) if size.ws_col > 0 => usize::from(size.ws_col),
        _ => USUAL_WIDTH,
    };
    let room = width.saturating_sub(PROMPT.len() + 1).max(1);
    if let Some((text, cursor)) = line().as_ref().map(|line| line.window(room)) {
        let cursor = PROMPT.len() + cursor;
        write!(out, "\r\x1b[K{PROMPT}{text}\r\x1b[{cursor}C")?;
    }
    out.flush()
}

/// The next key that means something here; `None` at the end of the input.
fn read_key() -> io::Result<Option<Key>> {
    loop {
        let Some(byte) = read_byte()? else {
            return Ok(None);
        };
        let key = match byte {
            b'\r' | b'\n' => Some(Key::Enter),
            0x01 => Some(Key::Home),
            0x04 => Some(Key::EndOfInput),
            0x05 => Some(Key::End),
            0x08 | 0x7f => Some(Key::Backspace),
            0x0b => Some(Key::DeleteToEnd),
            0x15 => Some(Key::DeleteToStart),
            0x17 => Some(Key::DeleteWord),
            0x1b => read_escape()?,
            b'\t' | 0x20..=0x7e => Some(Key::Char(char::from(byte))),
            0xc2..=0xf4 => read_char(byte)?.map(Key::Char),
            _ => None,
        };
        if key.is_some() {
            return Ok(key);
        }
    }
}

/// ESC [ A, ESC O A, ESC [ 3 ~ and the like.
fn read_escape() -> io::Result<Option<Key>> {
    if !matches!(read_byte()?, Some(b'[' | b'O')) {
        return Ok(None);
    }
    let mut number = 0_u8;
    loop {
        return Ok(match read_byte()? {
            Some(digit @ b'0'..=b'9') => {
                number = number.wrapping_mul(10).wrapping_add(digit - b'0');
                continue;
            }
            Some(b';') => continue,
            Some(b'A') => Some(Key::Up),
            Some(b'B') => Some(Key::Down),
            Some(b'C') => Some(Key::Right),
            Some(b'D') => Some(Key::Left),
            Some(b'H') => Some(Key::Home),
            Some(b'F') => Some(Key::End),
            Some(b'~') => match number {
                1 | 7 => Some(Key::Home),
                3 => Some(Key::Delete),
                4 | 8 => Some(Key::End),
                _ => None,
            },
            _ => None,
        });
    }
}

fn read_char(first: u8) -> io::Result<Option<char>> {
    let mut bytes = vec![first];
    let more = match first {
        0xc2..=0xdf => 1,
        0xe0..=0xef => 2,
        _ => 3,
    };
    for _ in 0..more {
        bytes.extend(read_byte()?);
    }
    Ok(std::str::from_utf8(&bytes)
        .ok()
        .and_then(|text| text.chars().next()))
}

fn read_byte() -> io::Result<Option<u8>> {
    let mut byte = [0];
    loop {
        match io::stdin().lock().read(&mut byte) {
            Ok(0) => return Ok(None),
            Ok(_) => return Ok(Some(byte[0])),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
