//! A server that runs out of descriptors waits without using the CPU, and serves again once there are
//! some.

mod support;

use std::io::{BufRead, BufReader, Write, stdin};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use support::{Client, PATIENCE, cpu_time, dial, wait_until};
use wshub::{Limits, Server};

const IN_CHILD: &str = "WSHUB_TEST_SERVER_WITH_FEW_DESCRIPTORS";
/// Descriptors that the server may open, and far more clients.
const DESCRIPTORS: usize = 64;
const CLIENTS: usize = 200;

#[test]
fn b09_out_of_descriptors_and_back() {
    if std::env::var_os(IN_CHILD).is_some() {
        return serve();
    }
    let mut server = FewDescriptors::start();
    for round in 1..=2 {
        let begun = (Instant::now(), cpu_time(server.child.id()));
        let refused = server.refused();
        let silent: Vec<TcpStream> = (0..CLIENTS).map(|_| dial(server.addr)).collect();
        wait_until("accept fails, again and again", || {
            server.refused() >= refused + 8
        });
        let took = begun.0.elapsed();
        let used = cpu_time(server.child.id()) - begun.1;
        // Between eight failures lie seven pauses, each twice as long as the one before.
        assert!(took >= Duration::from_millis(10 * 127), "{took:?}");
        assert!(
            used < took / 2,
            "round {round}: {used:?} of CPU in {took:?}"
        );

        drop(silent);
        let mut client = Client::connect(server.addr);
        client.send_text("back again");
        assert_eq!(client.read().text(), "back again");
    }
    server.stop();
}

/// The server, in a process of its own that may open few descriptors.
struct FewDescriptors {
    child: Child,
    answers: BufReader<std::process::ChildStdout>,
    addr: SocketAddr,
}

impl FewDescriptors {
    fn start() -> FewDescriptors {
        let limit = format!("ulimit -n {DESCRIPTORS} && exec \"$0\" \"$@\"");
        let mut child = Command::new("sh")
            .args(["-c", &limit])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "b09_out_of_descriptors_and_back", "--nocapture"])
            .env(IN_CHILD, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut answers = BufReader::new(child.stdout.take().unwrap());
        // The test harness has its say first.
        let addr = loop {
            let line = read_line(&mut answers);
            if let Some((_, addr)) = line.split_once("listening on ") {
                break addr.parse().unwrap();
            }
        };
        FewDescriptors {
            child,
            answers,
            addr,
        }
    }

    /// How often accept has failed.
    fn refused(&mut self) -> u64 {
        self.child
            .stdin
            .as_mut()
            .unwrap()
            .write_all(b"?\n")
            .unwrap();
        read_line(&mut self.answers).parse().unwrap()
    }

    fn stop(mut self) {
        // The end of its input is the end of the server.
        drop(self.child.stdin.take());
        wait_until("the server's process ends", || {
            self.child
                .try_wait()
                .unwrap()
                .is_some_and(|status| status.success())
        });
    }
}

impl Drop for FewDescriptors {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_line(lines: &mut impl BufRead) -> String {
    let mut line = String::new();
    assert!(lines.read_line(&mut line).unwrap() > 0, "the server ended");
    line.trim_end().to_owned()
}

fn serve() {
    let limits = Limits {
        // Silent clients stay.
        handshake_timeout: 3 * PATIENCE,
        max_handshakes: 2 * CLIENTS,
        ..Limits::default()
    };
    let handle = Server::builder()
        .limits(limits)
        .serve("127.0.0.1:0", |mut ws| {
            while let Some(message) = ws.read()? {
                ws.send(message)?;
            }
            Ok(())
        })
        .unwrap();
    println!("listening on {}", handle.local_addr().unwrap());
    for _ in stdin().lines() {
        let refused = handle.stats().refused;
        println!("{}", refused.get("accept").unwrap_or(&0));
    }
    handle.shutdown();
    assert_eq!(handle.wait().threads_left, 0);
}
