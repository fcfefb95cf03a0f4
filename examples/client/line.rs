//! A line that is edited, and those that came before it.

/// As many earlier lines as it keeps.
const MOST_KEPT: usize = 1_000;

#[derive(Default)]
pub struct Line {
    text: Vec<char>,
    cursor: usize,
    earlier: Vec<Vec<char>>,
    /// Which of the earlier lines is shown; after the last one: none, but what was typed.
    shown: usize,
    /// What was typed before an earlier line was shown.
    typed: Vec<char>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Key {
    Char(char),
    Enter,
    Backspace,
    Delete,
    Left,
    Right,
    Home,
    End,
    Up,
    Down,
    /// Ctrl-U, Ctrl-K, Ctrl-W.
    DeleteToStart,
    DeleteToEnd,
    DeleteWord,
    /// Ctrl-D.
    EndOfInput,
}

pub enum Entered {
    Nothing,
    Line(String),
    EndOfInput,
}

impl Line {
    pub fn press(&mut self, key: Key) -> Entered {
        match key {
            Key::Enter => return Entered::Line(self.enter()),
            Key::EndOfInput if self.text.is_empty() => return Entered::EndOfInput,
            Key::Char(c) => {
                self.text.insert(self.cursor, c);
                self.cursor += 1;
            }
            Key::Backspace => self.delete(self.cursor.saturating_sub(1), self.cursor),
            Key::Delete | Key::EndOfInput => self.delete(self.cursor, self.cursor + 1),
            Key::DeleteToStart => self.delete(0, self.cursor),
            Key::DeleteToEnd => self.delete(self.cursor, self.text.len()),
            Key::DeleteWord => self.delete(self.start_of_word(), self.cursor),
            Key::Left => self.cursor = self.cursor.saturating_sub(1),
            Key::Right => self.cursor = self.text.len().min(self.cursor + 1),
            Key::Home => self.cursor = 0,
            Key::End => self.cursor = self.text.len(),
            Key::Up => self.show(self.shown.checked_sub(1)),
            Key::Down => self.show(Some(self.shown + 1)),
        }
        Entered::Nothing
    }

    /// What fits beside a prompt into so many columns, and the column of the cursor in it.
    pub fn window(&self, width: usize) -> (String, usize) {
        let mut start = self.cursor;
        let mut before = 0;
        while let Some(c) = start.checked_sub(1).and_then(|i| self.text.get(i)) {
            if before + columns(*c) >= width {
                break;
            }
            before += columns(*c);
            start -= 1;
        }
        let mut used = 0;
        let fits = |c: &&char| {
            used += columns(**c);
            used <= width
        };
        let shown = self.text.iter().skip(start).take_while(fits);
        // A tab would move the cursor to where nobody looks for it.
        let shown = shown.map(|c| if c.is_control() { ' ' } else { *c });
        (shown.collect(), before)
    }

    fn enter(&mut self) -> String {
        let text = std::mem::take(&mut self.text);
        let line = text.iter().collect();
        if !text.is_empty() && self.earlier.last() != Some(&text) {
            self.earlier.push(text);
            let too_many = self.earlier.len().saturating_sub(MOST_KEPT);
            self.earlier.drain(..too_many);
        }
        self.shown = self.earlier.len();
        self.cursor = 0;
        self.typed.clear();
        line
    }

    fn delete(&mut self, from: usize, to: usize) {
        let to = to.min(self.text.len());
        self.text.drain(from.min(to)..to);
        self.cursor = from.min(self.text.len());
    }

    fn start_of_word(&self) -> usize {
        let before = self.text.iter().take(self.cursor);
        let spaces = before.clone().rev().take_while(|c| c.is_whitespace());
        let end = self.cursor - spaces.count();
        let word = before.take(end).rev().take_while(|c| !c.is_whitespace());
        end - word.count()
    }

    fn show(&mut self, which: Option<usize>) {
        let Some(which) = which.filter(|&which| which <= self.earlier.len()) else {
            return;
        };
        if self.shown == self.earlier.len() {
            self.typed = std::mem::take(&mut self.text);
        }
        self.text = self.earlier.get(which).unwrap_or(&self.typed).clone();
        self.shown = which;
        self.cursor = self.text.len();
    }
}

/// Columns of a terminal: East Asian characters and pictures take two, marks on others none.
fn columns(c: char) -> usize {
    match u32::from(c) {
        0x300..=0x36f | 0x200b..=0x200f | 0x20d0..=0x20ff | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff => 2,
        0xfe30..=0xfe6f | 0xff00..=0xff60 | 0xffe0..=0xffe6 | 0x1f300..=0x1faff => 2,
        0x20000..=0x3fffd => 2,
        _ => 1,
    }
}
