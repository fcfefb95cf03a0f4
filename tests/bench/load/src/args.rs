//! `--key value` and `--flag` arguments.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::str::FromStr;
use std::time::Duration;

pub type Result<T> = std::result::Result<T, String>;

const FLAGS: &[&str] = &["raw", "binary"];

pub struct Args {
    given: HashMap<String, String>,
    used: RefCell<HashSet<String>>,
}

impl Args {
    pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Args> {
        let mut given = HashMap::new();
        while let Some(word) = words.next() {
            let key = word
                .strip_prefix("--")
                .ok_or_else(|| format!("an --option, not `{word}`"))?;
            let value = if FLAGS.contains(&key) {
                String::new()
            } else {
                words
                    .next()
                    .ok_or_else(|| format!("--{key} needs a value"))?
            };
            given.insert(key.to_string(), value);
        }
        Ok(Args {
            given,
            used: RefCell::default(),
        })
    }

    /// Refuses what nobody asked for: a misspelt option must not be taken for the default.
    pub fn all_used(&self) -> Result<()> {
        let used = self.used.borrow();
        match self.given.keys().find(|key| !used.contains(*key)) {
            None => Ok(()),
            Some(key) => Err(format!("this command has no option --{key}")),
        }
    }

    fn value(&self, key: &str) -> Option<&str> {
        self.used.borrow_mut().insert(key.to_string());
        self.given.get(key).map(String::as_str)
    }

    pub fn flag(&self, key: &str) -> bool {
        self.value(key).is_some()
    }

    pub fn optional<T: FromStr>(&self, key: &str) -> Result<Option<T>> {
        let parse = |value: &str| {
            value
                .parse()
                .map_err(|_| format!("--{key}: cannot read `{value}`"))
        };
        self.value(key).map(parse).transpose()
    }

    pub fn get<T: FromStr>(&self, key: &str, default: T) -> Result<T> {
        Ok(self.optional(key)?.unwrap_or(default))
    }

    /// A count that is at least 1.
    pub fn count(&self, key: &str, default: usize) -> Result<usize> {
        match self.get(key, default)? {
            0 => Err(format!("--{key} of at least 1")),
            n => Ok(n),
        }
    }

    pub fn seconds(&self, key: &str, default: f64) -> Result<Duration> {
        Duration::try_from_secs_f64(self.get(key, default)?).map_err(|e| format!("--{key}: {e}"))
    }

    /// A number of bytes: `20`, `64K`, `16M`.
    pub fn bytes(&self, key: &str, default: usize) -> Result<usize> {
        let Some(value) = self.value(key) else {
            return Ok(default);
        };
        let (number, unit) = match value.strip_suffix('K') {
            Some(number) => (number, 1 << 10),
            None => value.strip_suffix('M').map_or((value, 1), |n| (n, 1 << 20)),
        };
        let number: Option<usize> = number.parse().ok();
        number
            .and_then(|n| n.checked_mul(unit))
            .ok_or_else(|| format!("--{key}: cannot read `{value}`"))
    }
}
