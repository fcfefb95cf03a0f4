//! A line of the table: a figure, its bound, and whether it holds.

use std::fmt;
use std::time::Duration;

use scorecard::support::PATIENCE;

pub struct Row {
    pub what: String,
    pub value: String,
    pub bound: String,
    pub holds: bool,
    /// The figure, where it is a time: how fast the machine is, and what else it does, is in it.
    took: Option<Duration>,
}

impl Row {
    /// Milliseconds, for what is shorter than a few seconds.
    pub fn ms(what: impl Into<String>, took: Duration, bound: u64) -> Row {
        Row {
            what: what.into(),
            value: format!("{:.1} ms", took.as_secs_f64() * 1e3),
            bound: format!("<= {bound} ms"),
            holds: took <= Duration::from_millis(bound),
            took: Some(took),
        }
    }

    pub fn seconds(what: impl Into<String>, took: Duration, bound: f64) -> Row {
        Row {
            what: what.into(),
            value: format!("{:.2} s", took.as_secs_f64()),
            bound: format!("<= {bound} s"),
            holds: took.as_secs_f64() <= bound,
            took: Some(took),
        }
    }

    pub fn at_most(what: impl Into<String>, value: f64, bound: f64, unit: &str) -> Row {
        Row {
            what: what.into(),
            value: format!("{value:.1} {unit}"),
            bound: format!("<= {bound} {unit}"),
            holds: value <= bound,
            took: None,
        }
    }

    pub fn exactly<T: PartialEq + fmt::Display>(
        what: impl Into<String>,
        value: T,
        bound: T,
    ) -> Row {
        Row {
            what: what.into(),
            holds: value == bound,
            value: value.to_string(),
            bound: bound.to_string(),
            took: None,
        }
    }

    /// What could not be measured.
    pub fn broken(what: &str, why: String) -> Row {
        Row {
            what: what.to_owned(),
            value: why,
            bound: "measured".to_owned(),
            holds: false,
            took: None,
        }
    }

    /// On a machine that has other work, too, a time shows only that nothing hangs.
    pub fn on_any_machine(mut self) -> Row {
        if let Some(took) = self.took {
            self.holds |= took < PATIENCE;
            self.bound += &format!(" ({} s here)", PATIENCE.as_secs());
        }
        self
    }

    pub fn verdict(&self) -> &'static str {
        if self.holds { "PASS" } else { "FAIL" }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (verdict, value, bound) = (self.verdict(), &self.value, &self.bound);
        write!(f, "{verdict}  {:<76} {value:>14}   {bound}", self.what)
    }
}
