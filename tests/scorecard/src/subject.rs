//! The program under test: a release example or the `subject` program, as a child whose process can be looked into.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use load::args::Args;
use load::process::Process;
use load::target::Target;
use rustix::process::Signal;
use scorecard::support::example::{self, Example};
use scorecard::support::{Client, wait_until};

pub struct Subject(Example);

impl Subject {
    /// A release example, with its defaults.
    pub fn example(name: &str) -> Subject {
        Subject::start(&mut Subject::command(name))
    }

    /// The command of a release example, for one that is started in another way.
    pub fn command(name: &str) -> Command {
        let mut command = Command::new(examples().join(name));
        command.arg("127.0.0.1:0").env("RUST_LOG", "warn");
        command
    }

    /// The `subject` program.
    pub fn with(mode: &str, limits: &[&str]) -> Subject {
        Subject::start(&mut Subject::command_with(mode, limits))
    }

    pub fn command_with(mode: &str, limits: &[&str]) -> Command {
        let mut command = Command::new(beside("subject"));
        command.args(["127.0.0.1:0", mode]).args(limits);
        command.stdin(Stdio::piped());
        command
    }

    pub fn start(command: &mut Command) -> Subject {
        Subject(Example::serving(command))
    }

    pub fn addr(&self) -> SocketAddr {
        self.0.addr
    }

    pub fn id(&self) -> u32 {
        self.0.process.id()
    }

    pub fn process(&mut self) -> &mut example::Process {
        &mut self.0.process
    }

    pub fn target(&self, size: usize) -> Target {
        let words = [
            "--port",
            &self.addr().port().to_string(),
            "--pid",
            &self.id().to_string(),
        ];
        let args = Args::parse(words.map(str::to_owned).into_iter()).unwrap();
        Target::new(&args, size).unwrap()
    }

    /// What /proc says of it now.
    pub fn now(&self) -> Process {
        Process::read(&self.id().to_string())
    }

    pub fn descriptors(&self) -> u64 {
        let folder = format!("/proc/{}/fd", self.id());
        std::fs::read_dir(folder).unwrap().count() as u64
    }

    /// Those that serve one stream each, `wshub-1` and so on.
    pub fn pool_threads(&self) -> usize {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.id())).unwrap();
        threads
            .filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("comm")).ok())
            .filter_map(|name| name.trim_end().strip_prefix("wshub-")?.parse::<u64>().ok())
            .count()
    }

    /// How many `close` lines the `subject` program has printed.
    pub fn closes(&self) -> usize {
        let lines = self.0.process.stdout();
        lines
            .iter()
            .filter(|line| line.starts_with("close"))
            .count()
    }

    /// Waits for as many `close` lines in all; when they were there, or `None` after `patience`.
    pub fn wait_for_closes(&self, count: usize, patience: Duration) -> Option<Instant> {
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if self.closes() >= count {
                return Some(Instant::now());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        None
    }

    /// Connections, handshakes and stalled connections, as the `subject` program counts them.
    pub fn stats(&mut self) -> [usize; 3] {
        let answers = |process: &example::Process| -> Vec<String> {
            let lines = process.stdout().into_iter();
            lines.filter(|line| line.starts_with("stats ")).collect()
        };
        let before = answers(&self.0.process).len();
        self.0.process.type_in("stats\n");
        wait_until("the subject answers", || {
            answers(&self.0.process).len() > before
        });
        let lines = answers(&self.0.process);
        let mut words = lines[before].split(' ').skip(1);
        std::array::from_fn(|_| words.next().unwrap().parse().unwrap())
    }

    pub fn assert_echoes(&self) {
        let mut client = Client::connect(self.addr());
        client.send_text("still here");
        assert_eq!(client.read_message().text(), "still here");
    }

    pub fn has_logged(&self, text: &str) -> bool {
        self.0
            .process
            .stderr()
            .iter()
            .any(|line| line.contains(text))
    }

    pub fn signal(&self, signal: Signal) {
        self.0.process.signal(signal);
    }

    /// Waits until so many connections have their descriptors.
    pub fn wait_for_connections(&self, connections: usize) {
        wait_until("all are connected", || {
            self.descriptors() >= connections as u64
        });
    }

    /// Ends it by SIGTERM.
    pub fn terminate(&mut self) -> ExitStatus {
        self.0.process.terminate()
    }
}

/// A program of this workspace.
pub fn beside(name: &str) -> PathBuf {
    std::env::current_exe().unwrap().with_file_name(name)
}

/// Where `run` has them built: this workspace's target folder lies in wshub's.
fn examples() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    program.ancestors().nth(3).unwrap().join("release/examples")
}
