//! Faults of the system, put in front of the program under test: see faults/.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::str::FromStr;

use scorecard::support::wait_until;

use crate::subject::{Subject, beside};

pub struct Faults {
    plan: PathBuf,
}

impl Faults {
    pub fn new(name: &str) -> Faults {
        let file = format!("scorecard-{}-{name}", std::process::id());
        Faults {
            plan: std::env::temp_dir().join(file),
        }
    }

    pub fn preload(&self, mut command: Command) -> Command {
        let library = beside("libfaults.so");
        assert!(library.exists(), "{} is not built", library.display());
        command
            .env("LD_PRELOAD", library)
            .env("WSHUB_FAULTS", &self.plan);
        command
    }

    /// From now on `call` fails with this error, `count` times.
    pub fn set(&self, call: &str, error: i32, count: u32) {
        let next = self.plan.with_extension("next");
        fs::write(&next, format!("{call} {error} {count}")).unwrap();
        fs::rename(next, &self.plan).unwrap();
    }

    /// How often it still fails.
    pub fn left(&self) -> u32 {
        // Nothing: it is being written just now.
        self.word(2).unwrap_or(u32::MAX)
    }

    /// Bytes that the program has allocated; `subject` accepts once more for that.
    pub fn heap(&self, subject: &Subject) -> u64 {
        self.set("heap", 0, 1);
        subject.assert_echoes();
        wait_until("the heap is told", || self.left() == 0);
        let bytes = self.word(1).unwrap();
        self.end();
        bytes
    }

    fn word<T: FromStr>(&self, n: usize) -> Option<T> {
        let plan = fs::read_to_string(&self.plan).ok()?;
        plan.split(' ').nth(n)?.parse().ok()
    }

    pub fn end(&self) {
        let _ = fs::remove_file(&self.plan);
    }
}

impl Drop for Faults {
    fn drop(&mut self) {
        self.end();
    }
}
