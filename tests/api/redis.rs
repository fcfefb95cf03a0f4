//! A cluster over a Redis that is played: what it refuses, cuts and delays. What the real one does, `tests/redis` has.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use crate::support::cluster::{Node, two};
use crate::support::{PATIENCE, own_loopback, wait_until};
use wshub::{Backplane, Cluster, ClusterEvent, Publisher, Redis, Subscriber};

/// At which command, and for what.
type Refusal = (&'static str, &'static str);

/// Plays as much of Redis as the cluster uses, for as many connections as come.
#[derive(Clone)]
struct Played {
    url: String,
    state: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Default)]
struct State {
    /// Every entry: of the stream or of the channel.
    entries: Vec<Vec<u8>>,
    /// What the next transactions are refused for, and at which of their commands.
    refusals: VecDeque<Refusal>,
    /// The next transaction is done, and its connection cut before the answer.
    cuts: bool,
    /// Answers leave in pieces of so many bytes, with a pause between.
    pieces: Option<usize>,
}

impl Played {
    fn start() -> Played {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let played = Played {
            url: format!("redis://{}", listener.local_addr().unwrap()),
            state: Arc::default(),
        };
        let own = played.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (own, stream) = (own.clone(), stream.unwrap());
                // The peer may end at any time.
                thread::spawn(move || own.serve(stream));
            }
        });
        played
    }

    fn redis(&self) -> Redis {
        Redis::new(&self.url).unwrap()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.0.lock().unwrap()
    }

    fn serve(&self, stream: TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        let mut queued: Option<Vec<Vec<u8>>> = None;
        let mut refused = None;
        loop {
            let command = read_command(&mut reader)?;
            let name = String::from_utf8(command[0].to_ascii_uppercase()).ok()?;
            if name == "MULTI" {
                refused = self.state().refusals.pop_front();
            }
            if let Some(refusal) = refusal(&name, &mut refused) {
                self.say(&stream, format!("-{refusal}\r\n").as_bytes())?;
                continue;
            }
            match &*name {
                "MULTI" => {
                    queued = Some(Vec::new());
                    self.say(&stream, b"+OK\r\n")?;
                }
                "XADD" | "PUBLISH" => {
                    queued.as_mut()?.push(command.last()?.clone());
                    self.say(&stream, b"+QUEUED\r\n")?;
                }
                "EXEC" => self.exec(&stream, queued.take()?)?,
                "TIME" => self.say(&stream, b"*2\r\n$2\r\n99\r\n$1\r\n0\r\n")?,
                "XREVRANGE" => {
                    let count = self.state().entries.len();
                    let newest = entries(count.checked_sub(1), &self.state().entries);
                    self.say(&stream, &newest)?;
                }
                "XREAD" => self.read(&stream, &command)?,
                "SUBSCRIBE" => return self.stay(&stream, &command[1]),
                "CLIENT" | "SELECT" => self.say(&stream, b"+OK\r\n")?,
                _ => self.say(&stream, b"-ERR unknown command\r\n")?,
            }
        }
    }

    fn exec(&self, stream: &TcpStream, frames: Vec<Vec<u8>>) -> Option<()> {
        let mut state = self.state();
        let answer = format!("*{}\r\n", frames.len()) + &":1\r\n".repeat(frames.len());
        state.entries.extend(frames);
        let cuts = std::mem::take(&mut state.cuts);
        drop(state);
        self.state.1.notify_all();
        match cuts {
            true => None,
            false => self.say(stream, answer.as_bytes()),
        }
    }

    /// XREAD COUNT n BLOCK ms STREAMS key id: the entries after it, which are numbered from 0 in the hundredth second.
    fn read(&self, stream: &TcpStream, command: &[Vec<u8>]) -> Option<()> {
        let number = |bytes: &[u8]| std::str::from_utf8(bytes).ok()?.parse::<u64>().ok();
        let wait = Duration::from_millis(number(&command[4])?);
        let id = std::str::from_utf8(command.last()?).ok()?;
        let (time, last) = id.split_once('-')?;
        let begin = match time {
            "100000" => last.parse::<usize>().ok()? + 1,
            _ => 0,
        };
        let state = self.state();
        let waited = self
            .state
            .1
            .wait_timeout_while(state, wait, |state| state.entries.len() <= begin);
        let answer = match waited.ok()?.0 {
            state if state.entries.len() <= begin => b"*-1\r\n".to_vec(),
            state => {
                let mut answer = b"*1\r\n*2\r\n$5\r\nwshub\r\n".to_vec();
                answer.extend(entries(Some(begin), &state.entries));
                answer
            }
        };
        self.say(stream, &answer)
    }

    /// A subscriber: it gets all that comes.
    fn stay(&self, stream: &TcpStream, channel: &[u8]) -> Option<()> {
        let mut next = self.state().entries.len();
        let mut head = b"*3\r\n$9\r\nsubscribe\r\n".to_vec();
        head.extend(bulk(channel));
        head.extend(b":1\r\n");
        self.say(stream, &head)?;
        loop {
            let state = self.state();
            let waited = self
                .state
                .1
                .wait_while(state, |state| state.entries.len() <= next);
            let new = waited.ok()?.entries[next..].to_vec();
            next += new.len();
            for frame in new {
                let mut message = b"*3\r\n$7\r\nmessage\r\n".to_vec();
                message.extend(bulk(channel));
                message.extend(bulk(&frame));
                self.say(stream, &message)?;
            }
        }
    }

    fn say(&self, mut stream: &TcpStream, answer: &[u8]) -> Option<()> {
        // Heartbeats come at once: were they slow, too, there would be ever more of them.
        let slow = answer.windows(2).any(|pair| pair == b"xx");
        let pieces = self.state().pieces.filter(|_| slow);
        for piece in answer.chunks(pieces.unwrap_or(usize::MAX)) {
            stream.write_all(piece).ok()?;
            if pieces.is_some() {
                thread::park_timeout(Duration::from_millis(250));
            }
        }
        Some(())
    }
}

/// What a command of a transaction is refused for. As Redis does, those up to the last are refused, too.
fn refusal(name: &str, refused: &mut Option<Refusal>) -> Option<&'static str> {
    let (at, refusal) = (*refused)?;
    match name {
        "EXEC" => {
            *refused = None;
            Some(match at {
                "EXEC" => refusal,
                _ => "EXECABORT Transaction discarded because of previous errors.",
            })
        }
        "XADD" if at != "EXEC" => Some(refusal),
        name => (name == at).then_some(refusal),
    }
}

/// The entries from one on, as XREAD and XREVRANGE tell them.
fn entries(from: Option<usize>, all: &[Vec<u8>]) -> Vec<u8> {
    let from = from.unwrap_or(all.len());
    let mut answer = format!("*{}\r\n", all.len() - from).into_bytes();
    for (at, frame) in all.iter().enumerate().skip(from) {
        answer.extend(b"*2\r\n");
        answer.extend(bulk(format!("100000-{at}").as_bytes()));
        answer.extend(b"*2\r\n$1\r\nf\r\n");
        answer.extend(bulk(frame));
    }
    answer
}

fn bulk(bytes: &[u8]) -> Vec<u8> {
    let mut bulk = format!("${}\r\n", bytes.len()).into_bytes();
    bulk.extend(bytes);
    bulk.extend(b"\r\n");
    bulk
}

fn read_command(reader: &mut impl BufRead) -> Option<Vec<Vec<u8>>> {
    let count = read_number(reader, "*")?;
    (0..count)
        .map(|_| {
            let len = read_number(reader, "$")?;
            let mut bytes = vec![0; len + 2];
            reader.read_exact(&mut bytes).ok()?;
            bytes.truncate(len);
            Some(bytes)
        })
        .collect()
}

fn read_number(reader: &mut impl BufRead, mark: &str) -> Option<usize> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    line.trim_end().strip_prefix(mark)?.parse().ok()
}

impl Backplane for Played {
    fn split(self) -> (Box<dyn Publisher>, Box<dyn Subscriber>) {
        self.redis().split()
    }
}

/// The same over Pub/Sub.
#[derive(Clone)]
struct PubSub(Played);

impl Backplane for PubSub {
    fn split(self) -> (Box<dyn Publisher>, Box<dyn Subscriber>) {
        self.0.redis().pub_sub().split()
    }
}

#[test]
fn messages_go_over_a_stream() {
    go_to_and_fro(two(Played::start()));
}

#[test]
fn messages_go_over_pub_sub() {
    go_to_and_fro(two(PubSub(Played::start())));
}

fn go_to_and_fro((one, two): (Node, Node)) {
    let (mut client, _) = two.client();
    let (mut back, _) = one.client();
    for i in 0..200 {
        one.cluster.broadcast(format!("{i} ü")).unwrap();
    }
    (0..200).for_each(|i| assert_eq!(client.read_text(), format!("{i} ü")));
    (0..200).for_each(|i| assert_eq!(back.read_text(), format!("{i} ü")));
    two.cluster.broadcast("back").unwrap();
    assert_eq!(back.read_text(), "back");
}

/// They come in pieces with pauses that are longer than a node waits for the next one.
#[test]
fn a_slow_answer_is_put_together() {
    for pub_sub in [true, false] {
        let played = Played::start();
        let (one, two) = match pub_sub {
            true => two(PubSub(played.clone())),
            false => two(played.clone()),
        };
        let (mut client, _) = two.client();
        played.state().pieces = Some(150);
        one.cluster.broadcast("x".repeat(200)).unwrap();
        one.cluster.broadcast("next").unwrap();
        assert_eq!(client.read_text(), "x".repeat(200));
        assert_eq!(client.read_text(), "next");
        played.state().pieces = None;
    }
}

#[test]
fn what_redis_refuses_is_told_with_a_remedy_and_sent_again() {
    let played = Played::start();
    let (one, two) = two(played.clone());
    let (mut client, _) = two.client();
    for (at, refusal, remedy) in [
        (
            "XADD",
            "OOM command not allowed when used memory > 'maxmemory'.",
            "maxmemory",
        ),
        (
            "EXEC",
            "OOM command not allowed when used memory > 'maxmemory'.",
            "maxmemory",
        ),
        (
            "MULTI",
            "LOADING Redis is loading the dataset in memory",
            "wait",
        ),
        ("MULTI", "NOAUTH Authentication required.", "password"),
        (
            "XADD",
            "READONLY You can't write against a read only replica.",
            "primary",
        ),
        ("XADD", "MOVED 3999 127.0.0.1:6381", "not supported"),
        ("MULTI", "NOPERM this user has no permissions", "rights"),
    ] {
        wait_until("both are attached", || {
            one.cluster.is_attached() && two.cluster.is_attached()
        });
        played.state().refusals.push_back((at, refusal));
        one.cluster.broadcast(refusal).unwrap();
        let mut told = None;
        wait_until("the one that met it is told", || {
            told = told
                .take()
                .or_else(|| reason(&one))
                .or_else(|| reason(&two));
            told.is_some()
        });
        let told = told.unwrap();
        assert!(told.contains(remedy), "{told}");
        assert_eq!(client.read_text(), refusal);
    }
}

/// Why a node was detached, if it was told so.
fn reason(node: &Node) -> Option<String> {
    node.events.try_iter().find_map(|event| match event {
        ClusterEvent::Detached { reason } => Some(reason),
        _ => None,
    })
}

#[test]
fn what_is_sent_again_because_its_answer_was_cut_off_comes_once() {
    let played = Played::start();
    let (one, two) = two(played.clone());
    let (mut client, _) = two.client();
    for i in 0..50 {
        played.state().cuts = true;
        one.cluster.broadcast(i.to_string()).unwrap();
        assert_eq!(client.read_text(), i.to_string());
    }
    let unique: std::collections::HashSet<_> = played.state().entries.iter().cloned().collect();
    let all = played.state().entries.len();
    assert!(unique.len() < all, "{all} entries, none of them twice");
}

#[test]
fn a_redis_that_is_not_there_is_told_in_words_and_found_when_it_is() {
    let listener = TcpListener::bind(own_loopback()).unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    drop(listener);
    let node = Node::join(Redis::new(&url).unwrap());
    let reason = node.detached();
    assert!(reason.contains("is it running"), "{reason}");
}

#[test]
fn a_redis_that_does_not_answer_is_told_in_words() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    let redis = Redis::new(&url)
        .unwrap()
        .timeout(Duration::from_millis(200));
    let reason = Node::join(redis).detached();
    assert!(reason.contains("does not answer in time"), "{reason}");
}

/// Answers each connection with this once it has asked for something, and then with a byte now and then, or with as
/// many as are taken; tells the bytes that went out on the first connection.
fn answering(begin: &'static [u8], is_slow: bool) -> (String, Receiver<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    let (tell, told) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, tell) = (stream.unwrap(), tell.clone());
            thread::spawn(move || {
                let _ = stream.read(&mut [0; 1 << 10]);
                let mut sent = stream.write(begin).unwrap_or_default();
                let more = vec![b'x'; if is_slow { 1 } else { 64 << 10 }];
                while let Ok(written) = stream.write(&more) {
                    sent += written;
                    if is_slow {
                        thread::park_timeout(Duration::from_millis(10));
                    }
                }
                let _ = tell.send(sent);
            });
        }
    });
    (url, told)
}

/// What it says that it sends is not believed, either.
#[test]
fn an_answer_without_end_is_cut_off_and_told_in_words() {
    for begin in [
        &b"*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\nf\r\n$9223372036854775807\r\n"[..],
        b"*9223372036854775807\r\n$536870913\r\n",
        b"+",
    ] {
        for pub_sub in [false, true] {
            let (url, told) = answering(begin, false);
            let redis = Redis::new(&url).unwrap();
            let redis = match pub_sub {
                true => redis.pub_sub(),
                false => redis,
            };
            let node = Node::join_as(Cluster::builder().max_message(1000), redis);
            let reason = node.detached();
            let words = match begin {
                b"+" => "is no Redis",
                _ => "answers with more than",
            };
            assert!(reason.contains(words), "{reason}");
            let sent = told.recv_timeout(PATIENCE).unwrap();
            // With what the system holds for both ends.
            assert!(sent < 100 << 20, "{sent} bytes");
        }
    }
}

/// One alone is more than a server takes in one answer.
#[test]
fn a_message_that_is_far_too_long_is_passed_over_and_told_as_missing() {
    let played = Played::start();
    let small = Cluster::builder().max_message(1000);
    let reader = Node::join_as(small, played.redis());
    let writer = Node::join_as(Cluster::builder().max_message(16 << 20), played.redis());
    reader.joined(&writer);
    let (mut client, _) = reader.client();
    writer.cluster.broadcast("x".repeat(9 << 20)).unwrap();
    writer.cluster.broadcast("next").unwrap();
    assert_eq!(client.read_text(), "next");
    reader.missing(&writer, 1);
}

/// Who connects asks for the name of the newest entry.
#[test]
fn a_newest_message_that_is_far_too_long_keeps_nobody_out() {
    let played = Played::start();
    played.state().entries.push(vec![b'x'; 9 << 20]);
    let small = Cluster::builder().max_message(1000);
    let node = Node::join_as(small, played.redis());
    node.attached();
}

#[test]
fn an_answer_that_comes_byte_by_byte_has_a_deadline() {
    for begin in [
        &b"*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\nf\r\n$1000000\r\n"[..],
        b"+",
    ] {
        let (url, _told) = answering(begin, true);
        let redis = Redis::new(&url)
            .unwrap()
            .timeout(Duration::from_millis(200));
        let reason = Node::join(redis).detached();
        assert!(reason.contains("does not answer in time"), "{reason}");
    }
}

#[test]
fn what_answers_and_is_no_redis_is_told_in_words() {
    let server = wshub::Server::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", server.local_addr().unwrap());
    let reason = Node::join(Redis::new(&url).unwrap()).detached();
    assert!(
        reason.contains("is no Redis; check host and port"),
        "{reason}"
    );
}

#[test]
fn what_is_no_address_is_refused_without_the_password() {
    for url in [
        "",
        "localhost",
        "http://user:secret@host",
        "redis://:secret@host:port",
    ] {
        let error = Redis::new(url).unwrap_err().to_string();
        assert!(error.contains("write redis://HOST:PORT/"), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }
    let redis = Redis::new("redis://user:secret@host").unwrap();
    assert!(!format!("{redis:?}").contains("secret"));
}
