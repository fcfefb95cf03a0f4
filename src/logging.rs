//! The one way to the log. A logger is the application's code: what it does, a panic included, ends here.

use std::fmt;
use std::panic::Location;

use log::{Level, Record};

use crate::lock::assert_no_lock;
use crate::panics;

/// Whether lines of this level may be wanted. The logger is not asked.
pub(crate) fn is_on(level: Level) -> bool {
    level <= log::STATIC_MAX_LEVEL && level <= log::max_level()
}

/// Hands a line to the logger, which may block. So what a line tells of has happened before it, the
/// thread that logs holds no lock, and a thread that serves many has its [`Line`]s written by another one.
#[cold]
#[inline(never)]
#[track_caller]
pub(crate) fn write(level: Level, module: &'static str, line: fmt::Arguments<'_>) {
    hand_over(level, module, Location::caller(), line);
}

fn hand_over(level: Level, module: &'static str, place: &Location<'_>, line: fmt::Arguments<'_>) {
    assert_no_lock();
    let record = Record::builder()
        .level(level)
        .target(module)
        .module_path_static(Some(module))
        .file(Some(place.file()))
        .line(Some(place.line()))
        .args(line)
        .build();
    // Who panics loses this line. The panic itself shows on standard error, as any does.
    #[allow(clippy::disallowed_methods)]
    let _ = panics::catch(|| log::logger().log(&record));
}

/// A line that is written later, or elsewhere; made by [`line_for_later!`].
pub(crate) struct Line {
    level: Level,
    module: &'static str,
    place: &'static Location<'static>,
    text: String,
}

impl Line {
    #[track_caller]
    pub fn new(level: Level, module: &'static str, text: String) -> Self {
        Line {
            level,
            module,
            place: Location::caller(),
            text,
        }
    }

    pub fn write(&self) {
        let text = format_args!("{}", self.text);
        hand_over(self.level, self.module, self.place, text);
    }
}

/// `log_line!(Info, "connection {id} open")`: what it names is not looked at while the level is off.
macro_rules! log_line {
    ($level:ident, $($line:tt)+) => {
        if $crate::logging::is_on(log::Level::$level) {
            $crate::logging::write(log::Level::$level, module_path!(), format_args!($($line)+));
        }
    };
}
pub(crate) use log_line;

/// As [`log_line!`], a [`Line`] in its place; `None` while the level is off.
macro_rules! line_for_later {
    ($level:ident, $($line:tt)+) => {
        $crate::logging::is_on(log::Level::$level)
            .then(|| $crate::logging::Line::new(log::Level::$level, module_path!(), format!($($line)+)))
    };
}
pub(crate) use line_for_later;
