//! A redis-server of a test's own: on its own port, in a folder of its own, ended with the test.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

use rustix::process::{Pid, Signal, kill_process};
use wshub::Redis;

use crate::support::{PATIENCE, dial, wait_until};

pub struct RedisServer {
    pub port: u16,
    pub folder: PathBuf,
    /// Arguments, the file of its configuration before all others.
    first: Vec<OsString>,
    settings: Vec<String>,
    process: Option<Child>,
}

impl RedisServer {
    /// Started, with these settings beside `--save ''`.
    pub fn start(settings: &[&str]) -> RedisServer {
        let mut server = RedisServer::absent(settings);
        server.restart();
        server
    }

    /// Started, as one of those that watch this primary under the name `mymaster`: two of them have to agree.
    pub fn sentinel(primary: u16) -> RedisServer {
        let mut sentinel = RedisServer::absent(&[]);
        let file = sentinel.folder.join("sentinel.conf");
        // A busy machine may be silent for a second.
        let settings = format!(
            "sentinel monitor mymaster 127.0.0.1 {primary} 2\n\
             sentinel down-after-milliseconds mymaster 2000\n\
             sentinel failover-timeout mymaster 2000\n"
        );
        std::fs::write(&file, settings).unwrap();
        sentinel.first = vec![file.into(), "--sentinel".into()];
        sentinel.settings.clear();
        sentinel.restart();
        sentinel
    }

    /// Not started yet; its port is free.
    pub fn absent(settings: &[&str]) -> RedisServer {
        let port = free_port();
        let folder = std::env::temp_dir().join(format!("wshub-redis-{port}"));
        // What a killed run has left there.
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        RedisServer {
            port,
            folder,
            first: Vec::new(),
            settings: ["--save", ""]
                .iter()
                .chain(settings)
                .map(|&it| it.to_owned())
                .collect(),
            process: None,
        }
    }

    pub fn restart(&mut self) {
        self.kill();
        let started = Command::new("redis-server")
            .args(&self.first)
            .args([
                "--bind",
                "127.0.0.1",
                "--port",
                &self.port.to_string(),
                "--dir",
            ])
            .arg(&self.folder)
            .args(&self.settings)
            .stdout(Stdio::null())
            .spawn();
        let process = started.unwrap_or_else(|error| {
            panic!("redis-server does not start ({error}): apt-get install redis-server")
        });
        self.process = Some(process);
        wait_until("redis-server answers", || {
            TcpStream::connect(("127.0.0.1", self.port)).is_ok()
        });
    }

    /// As kill -9 does.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    pub fn stop(&self) {
        self.signal(Signal::STOP);
    }

    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let id = self.process.as_ref().unwrap().id();
        kill_process(Pid::from_raw(id.try_into().unwrap()).unwrap(), signal).unwrap();
    }

    pub fn redis(&self) -> Redis {
        redis_at(self.port)
    }

    /// Runs a command on a connection of its own; returns the answer as it came, its first line at least.
    pub fn ask(&self, command: &str) -> String {
        self.try_ask(command).unwrap()
    }

    /// True if these words are in the answer; a server that fails over may cut off who asks.
    pub fn says(&self, command: &str, words: &str) -> bool {
        self.try_ask(command)
            .is_ok_and(|answer| answer.contains(words))
    }

    fn try_ask(&self, command: &str) -> io::Result<String> {
        let stream = dial(("127.0.0.1", self.port));
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        (&stream).write_all(format!("{command}\r\n").as_bytes())?;
        let mut reader = BufReader::new(stream);
        let mut answer = String::new();
        reader.read_line(&mut answer)?;
        if let Some(len) = answer
            .strip_prefix('$')
            .and_then(|len| len.trim().parse::<u64>().ok())
        {
            answer.clear();
            reader.take(len).read_to_string(&mut answer)?;
        }
        Ok(answer)
    }

    /// Runs a command that must go well.
    pub fn set(&self, command: &str) {
        let answer = self.ask(command);
        assert!(!answer.starts_with('-'), "{command}: {answer}");
    }
}

/// A port that is free and stays so until Redis has it: below those that systems give away themselves, to the sockets of
/// the other tests and to connections.
fn free_port() -> u16 {
    const FIRST: u32 = 20_000;
    const COUNT: u32 = 12_000;
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    // Another run begins elsewhere.
    let first = std::process::id().wrapping_mul(97);
    (0..COUNT)
        .map(|_| first.wrapping_add(TAKEN.fetch_add(1, Relaxed)) % COUNT + FIRST)
        .filter_map(|port| u16::try_from(port).ok())
        .find(|&port| TcpListener::bind(("127.0.0.1", port)).is_ok())
        .expect("a free port")
}

pub fn redis_at(port: u16) -> Redis {
    Redis::new(&format!("redis://127.0.0.1:{port}")).unwrap()
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
