//! Clients that are killed, stopped, or cut off without a word.

use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use scorecard::support::PATIENCE;
use scorecard::support::example::Process;

use crate::row::Row;
use crate::subject::{Subject, beside};

const KILLED: usize = 500;
const FEW: usize = 20;

pub fn clients(command: &mut Command, subject: &Subject, count: usize) -> Process {
    command
        .args([subject.addr().to_string(), count.to_string()])
        .stdin(Stdio::null());
    let clients = Process::start(command);
    clients.prints("open");
    clients
}

/// From `since` until the server has told of all their ends.
pub fn closes(what: &str, subject: &Subject, count: usize, since: Instant, bound: f64) -> Row {
    let patience = Duration::from_secs_f64(bound) + PATIENCE;
    match subject.wait_for_closes(count, patience) {
        Some(at) => Row::seconds(what, at - since, bound),
        None => Row::broken(what, format!("{} of {count}", subject.closes())),
    }
}

pub fn killed() -> Vec<Row> {
    let subject = Subject::with("echo", &[]);
    let clients = clients(&mut Command::new(beside("clients")), &subject, KILLED);
    let since = Instant::now();
    clients.signal(Signal::KILL);
    vec![closes(
        "500 clients killed (SIGKILL): 500 Close events",
        &subject,
        KILLED,
        since,
        1.0,
    )]
}

pub fn stopped() -> Vec<Row> {
    let subject = Subject::with("echo", &["ping_ms=1000", "pong_ms=1000"]);
    let clients = clients(&mut Command::new(beside("clients")), &subject, FEW);
    // They answer no pings either way; those that are stopped never will.
    clients.signal(Signal::STOP);
    let since = Instant::now();
    let row = closes(
        "20 clients stopped (SIGSTOP), ping 1 s and pong 1 s: all given up",
        &subject,
        FEW,
        since,
        2.5,
    );
    clients.signal(Signal::CONT);
    vec![row]
}

pub fn half_open() -> Vec<Row> {
    let cable = Cable::new();
    let default = cable.server(&[]);
    let quick = cable.server(&["ping_ms=1000", "pong_ms=1000"]);
    let held: Vec<Process> = [&default, &quick]
        .map(|subject| clients(&mut cable.command("clients", "c"), subject, FEW))
        .into();
    let since = Instant::now();
    cable.pull();
    let rows = vec![
        closes(
            "half-open (link down), ping 1 s and pong 1 s: all 20 found",
            &quick,
            FEW,
            since,
            2.5,
        ),
        closes(
            "half-open (link down), defaults (20 s and 20 s): all 20 found",
            &default,
            FEW,
            since,
            41.0,
        ),
    ];
    drop(held);
    rows
}

/// Two network namespaces with a cable between them: `s` for servers, `c` for clients.
struct Cable(String);

impl Cable {
    fn new() -> Cable {
        let cable = Cable(format!("wshub-{}-", std::process::id()));
        let (s, c) = (cable.end("s"), cable.end("c"));
        ip(&["netns", "add", &s]);
        ip(&["netns", "add", &c]);
        ip(&[
            "-n", &s, "link", "add", "veth", "type", "veth", "peer", "veth", "netns", &c,
        ]);
        for (end, address) in [(&s, "192.0.2.1/30"), (&c, "192.0.2.2/30")] {
            ip(&["-n", end, "addr", "add", address, "dev", "veth"]);
            ip(&["-n", end, "link", "set", "veth", "up"]);
        }
        cable
    }

    fn end(&self, which: &str) -> String {
        format!("{}{which}", self.0)
    }

    fn command(&self, program: &str, end: &str) -> Command {
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", &self.end(end)])
            .arg(beside(program));
        command
    }

    fn server(&self, limits: &[&str]) -> Subject {
        let mut command = self.command("subject", "s");
        command.args(["192.0.2.1:0", "echo"]).args(limits);
        // The address may still be on its way.
        thread::sleep(Duration::from_millis(200));
        Subject::start(command.stdin(Stdio::piped()))
    }

    fn pull(&self) {
        ip(&["-n", &self.end("c"), "link", "set", "veth", "down"]);
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        for end in ["s", "c"] {
            let _ = Command::new("ip")
                .args(["netns", "del", &self.end(end)])
                .status();
        }
    }
}

fn ip(args: &[&str]) {
    let done = Command::new("ip").args(args).output();
    let done = done.expect("`ip` of iproute2 is needed");
    let why = String::from_utf8_lossy(&done.stderr);
    assert!(
        done.status.success(),
        "ip {}: {why} (root is needed for network namespaces)",
        args.join(" ")
    );
}
