//! An example, or another server, as a child process: where it listens, what it says, how it ends.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};

use super::wait_until;

/// A server on a port of its own; killed when dropped.
pub struct Example {
    pub addr: SocketAddr,
    pub process: Process,
}

/// A process whose output is read while it runs; killed when dropped.
pub struct Process {
    child: Child,
    stdout: Lines,
    stderr: Lines,
}

impl Example {
    /// An example with its log at info.
    pub fn start(name: &str, env: &[(&str, &str)]) -> Example {
        let mut command = command(name);
        command.arg("127.0.0.1:0").env("RUST_LOG", "info");
        Example::serving(command.envs(env.iter().copied()).stdin(Stdio::null()))
    }

    /// A server that says first where it listens.
    pub fn serving(command: &mut Command) -> Example {
        let process = Process::start(command);
        wait_until("the server listens", || {
            !process.stdout.lines().is_empty() || process.stdout.ended()
        });
        let lines = process.stdout.lines();
        let addr = lines
            .first()
            .and_then(|line| line.strip_prefix("listening on ")?.strip_suffix('/'))
            .and_then(|url| url.strip_prefix("wss://").or(url.strip_prefix("ws://")))
            .unwrap_or_else(|| panic!("{command:?}: {lines:?} {:?}", process.stderr.lines()));
        Example {
            addr: addr.parse().unwrap(),
            process,
        }
    }

    /// Waits for a line of the log that holds `text`, and returns it.
    pub fn logs(&self, text: &str) -> String {
        self.process.stderr.wait_for(text)
    }

    /// Ends it as a service manager does. Returns how it ended and its whole log.
    pub fn terminate(mut self) -> (ExitStatus, String) {
        let status = self.process.terminate();
        (status, self.process.stderr.lines().join("\n"))
    }
}

impl Process {
    pub fn start(command: &mut Command) -> Process {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}; run cargo build --examples"));
        Process {
            stdout: Lines::of(child.stdout.take().unwrap()),
            stderr: Lines::of(child.stderr.take().unwrap()),
            child,
        }
    }

    /// Waits for the end, and for the last line.
    pub fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        wait_until("the process ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some() && self.stdout.ended() && self.stderr.ended()
        });
        status.unwrap()
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Writes to its input, which has to be a pipe; it ends with `end_input`.
    pub fn type_in(&mut self, text: impl AsRef<[u8]>) {
        let (mut stdin, text) = (self.child.stdin.take().unwrap(), text.as_ref().to_vec());
        let typing = thread::spawn(move || stdin.write_all(&text).map(|()| stdin));
        wait_until("its input is taken", || typing.is_finished());
        self.child.stdin = Some(typing.join().unwrap().unwrap());
    }

    pub fn end_input(&mut self) {
        self.child.stdin = None;
    }

    pub fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// Waits for a line of its output that holds `text`.
    pub fn prints(&self, text: &str) {
        self.stdout.wait_for(text);
    }

    pub fn stdout(&self) -> Vec<String> {
        self.stdout.lines()
    }

    pub fn stderr(&self) -> Vec<String> {
        self.stderr.lines()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Cargo puts examples beside the folder of the tests; `cargo test --test NAME` does not build them.
pub fn command(name: &str) -> Command {
    let test: PathBuf = std::env::current_exe().unwrap();
    let profile = test.parent().unwrap().parent().unwrap();
    Command::new(profile.join("examples").join(name))
}

/// What a process has written so far.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Written>>);

#[derive(Default)]
struct Written {
    lines: Vec<String>,
    ended: bool,
}

impl Lines {
    fn of(stream: impl Read + Send + 'static) -> Lines {
        let lines = Lines::default();
        let written = lines.0.clone();
        thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                written.lock().unwrap().lines.push(line);
            }
            written.lock().unwrap().ended = true;
        });
        lines
    }

    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().lines.clone()
    }

    fn ended(&self) -> bool {
        self.0.lock().unwrap().ended
    }

    fn wait_for(&self, text: &str) -> String {
        let mut found = None;
        wait_until(text, || {
            found = self.lines().into_iter().find(|line| line.contains(text));
            found.is_some()
        });
        found.unwrap()
    }
}
