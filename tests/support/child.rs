//! A part of a test in a process of its own: one that has other limits, is stopped, or gets signals.
//!
//! The test runs itself again; [`in_child`] tells it which of the two it is.

use std::fmt::Display;
use std::io::{BufRead, BufReader, Write, stdin};
use std::net::SocketAddr;
use std::process::{Child as Process, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

#[cfg(unix)]
use rustix::process::{Pid, Signal, kill_process};
use wshub::{Limits, Server, ServerHandle};

use super::{PATIENCE, serving, wait_until};

const IN_CHILD: &str = "WSHUB_TEST_IN_CHILD";
/// The test harness writes to the same stream.
const MARK: &str = "> ";

pub fn in_child() -> bool {
    std::env::var_os(IN_CHILD).is_some()
}

/// In the child: says something to the test.
pub fn tell(what: impl Display) {
    println!("\n{MARK}{what}");
}

/// In the child: what the test asks, to the end of the child's time.
pub fn asked() -> impl Iterator<Item = String> {
    stdin().lines().map_while(Result::ok)
}

/// In the child: [`echo_while_asked`] up to its shutdown.
pub fn serve_echo(limits: Limits) {
    let handle = echo_while_asked(limits);
    handle.shutdown();
    assert_eq!(handle.wait().threads_left, 0);
}

/// In the child: an echo server that tells its address, and then how often it refused for the reason
/// that is asked for, or how many `connections` there are or are `stalled`; to the end of what is asked.
pub fn echo_while_asked(limits: Limits) -> ServerHandle {
    let handle = Server::builder()
        .limits(limits)
        .serve("127.0.0.1:0", serving::echo)
        .unwrap();
    tell(handle.local_addr().unwrap());
    for reason in asked() {
        let stats = handle.stats();
        tell(match &*reason {
            "stalled" => stats.stalled as u64,
            "connections" => stats.connections as u64,
            _ => stats.refused.get(&*reason).copied().unwrap_or_default(),
        });
    }
    handle
}

pub struct Child {
    process: Process,
    answers: Receiver<String>,
}

impl Child {
    /// Runs `test` of this binary once more, after the shell's `setup`, such as `ulimit -n 64`.
    pub fn start(test: &str, setup: &str) -> Child {
        Child::run(test, setup, &[])
    }

    /// As [`start`](Child::start), for a test that is ignored unless it is asked for.
    pub fn start_ignored(test: &str) -> Child {
        Child::run(test, "true", &["--ignored"])
    }

    fn run(test: &str, setup: &str, options: &[&str]) -> Child {
        let mut process = Command::new("sh")
            .args(["-c", &format!("{setup} && exec \"$0\" \"$@\"")])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .args(options)
            .env(IN_CHILD, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (tell, answers) = channel();
        let output = BufReader::new(process.stdout.take().unwrap());
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if let Some(told) = line.strip_prefix(MARK) {
                    // The test may be over.
                    let _ = tell.send(told.trim_end().to_owned());
                }
            }
        });
        Child { process, answers }
    }

    /// As [`start`](Child::start), for one that runs [`serve_echo`].
    pub fn server(test: &str, setup: &str) -> (Child, SocketAddr) {
        let mut child = Child::start(test, setup);
        let addr = child.told().parse().unwrap();
        (child, addr)
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The next thing that the child tells. What it waits for itself ends before that.
    pub fn told(&mut self) -> String {
        let told = self.answers.recv_timeout(2 * PATIENCE);
        told.expect("the child tells something")
    }

    pub fn ask(&mut self, question: &str) -> String {
        let input = self.process.stdin.as_mut().unwrap();
        writeln!(input, "{question}").unwrap();
        self.told()
    }

    /// How often the server refused for this reason.
    pub fn refused(&mut self, reason: &str) -> u64 {
        self.ask(reason).parse().unwrap()
    }

    /// Stops the process as a debugger, a paused machine or Ctrl-Z does.
    #[cfg(unix)]
    pub fn stop(&self) {
        self.signal(Signal::STOP);
        wait_until("the process stands still", || self.state() == 'T');
    }

    #[cfg(unix)]
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    #[cfg(unix)]
    fn signal(&self, signal: Signal) {
        let id = Pid::from_raw(self.id().try_into().unwrap()).unwrap();
        kill_process(id, signal).unwrap();
    }

    #[cfg(unix)]
    fn state(&self) -> char {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id())).unwrap();
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        fields.chars().next().unwrap()
    }

    /// Ends the child's input and waits for its end.
    pub fn end(mut self) -> ExitStatus {
        drop(self.process.stdin.take());
        let mut ended = None;
        wait_until("the child ends", || {
            ended = self.process.try_wait().unwrap();
            ended.is_some()
        });
        ended.unwrap()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
