//! A server that gets no more threads: those it has are served, others are told, and there is room
//! again once somebody left.
#![cfg(unix)]

#[path = "../support/mod.rs"]
mod support;

use std::io::Write;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, setrlimit};
use support::child::{Child, asked, in_child, serve_echo, tell};
use support::{Client, dial, frame, read_head, upgrade, wait_until};
use wshub::{Event, Limits, Server};

/// Address space for a handful of threads that reserve a lot of it each.
const SETUP: &str = "ulimit -v 2000000";
const STACK: usize = 128 << 20;

#[test]
fn b08_out_of_threads_and_back() {
    if in_child() {
        return serve_echo(Limits {
            stack_size: STACK,
            ..Limits::default()
        });
    }
    let (mut server, addr) = Child::server("b08_out_of_threads_and_back", SETUP);
    let request = upgrade("localhost", "/", "");
    let connect = || {
        let mut stream = dial(addr);
        stream.write_all(request.as_bytes()).unwrap();
        let answer = read_head(&mut stream).unwrap();
        (
            answer.starts_with("HTTP/1.1 101 "),
            Client { stream, answer },
        )
    };
    for _ in 0..3 {
        let (mut served, mut refused) = (Vec::new(), String::new());
        // Who has just left may not have given its thread back yet.
        wait_until("two are served, and one is not", || {
            match connect() {
                (true, client) => served.push(client),
                (false, client) => refused = client.answer,
            }
            assert!(served.len() < 20, "threads come without end");
            served.len() > 1 && !refused.is_empty()
        });
        assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
        for line in ["Retry-After: 1", "Connection: close"] {
            assert!(refused.contains(&format!("\r\n{line}\r\n")), "{refused}");
        }
        for client in &mut served {
            client.send_text("still here");
            assert_eq!(client.read().text(), "still here");
        }
        drop(served);
        // A thread that is about to be idle is not taken for the next client.
        wait_until("all have left", || server.ask("connections") == "0");
        wait_until("somebody may come in again", || connect().0);
    }
    assert!(server.refused("full") >= 3);
    assert!(server.end().success());
}

#[test]
fn b08_without_threads_clients_get_503_and_the_server_lives() {
    const TEST: &str = "b08_without_threads_clients_get_503_and_the_server_lives";
    if in_child() {
        // More than there is address space: the system refuses every thread.
        return serve_echo(Limits {
            stack_size: 1 << 30,
            ..Limits::default()
        });
    }
    let (mut server, addr) = Child::server(TEST, "ulimit -v 1000000");
    for _ in 0..10 {
        let head = read_head(&mut dial(addr)).unwrap();
        assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    }
    assert_eq!(server.refused("full"), 10);
    assert!(server.end().success());
}

#[test]
fn b08_a_server_that_gets_no_thread_of_its_own_says_what_to_raise() {
    if in_child() {
        // Less is left than the stack of one thread takes.
        let most = Some(address_space() + (1 << 20));
        let limit = Rlimit {
            current: most,
            maximum: most,
        };
        setrlimit(Resource::As, limit).unwrap();
        return tell(Server::bind("127.0.0.1:0").err().unwrap());
    }
    let test = "b08_a_server_that_gets_no_thread_of_its_own_says_what_to_raise";
    let mut child = Child::start(test, ":");
    let told = child.told();
    assert!(told.starts_with("the system gave no thread: "), "{told}");
    assert!(told.contains("(ulimit -v)"), "{told}");
    assert!(child.end().success());
}

/// What this process has of it.
fn address_space() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
    let kilobytes = line.unwrap().trim().trim_end_matches(" kB");
    kilobytes.parse::<u64>().unwrap() << 10
}

/// Connects as many clients at once; those that got a 101 are echoed to, all others got a 503.
fn storm(addr: SocketAddr, clients: usize) -> Vec<Client> {
    let request = upgrade("localhost", "/", "");
    let streams: Vec<_> = (0..clients)
        .map(|_| {
            let mut stream = dial(addr);
            stream.write_all(request.as_bytes()).unwrap();
            stream
        })
        .collect();
    let mut served = Vec::new();
    for mut stream in streams {
        let answer = read_head(&mut stream).unwrap();
        match answer.starts_with("HTTP/1.1 101 ") {
            true => served.push(Client { stream, answer }),
            false => assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}"),
        }
    }
    for client in &mut served {
        client.send_text("still here");
        assert_eq!(client.read().text(), "still here");
    }
    served
}

/// An allocation that finds no address space would end the process, and everybody with it.
#[test]
fn m04_little_address_space_ends_in_refusals() {
    if in_child() {
        return serve_echo(Limits::default());
    }
    // How little is left behind the heaps that glibc makes for threads differs from one to the next.
    for kib in [60_000, 95_000, 130_000, 165_000, 195_312, 230_000] {
        let setup = format!("ulimit -v {kib}");
        let (server, addr) = Child::server("m04_little_address_space_ends_in_refusals", &setup);
        let served = storm(addr, 300).len();
        assert!(served < 300, "with {kib} KiB");
        assert!(server.end().success(), "with {kib} KiB");
    }
}

/// What one sets where address space is little and hooks need less than usual.
fn small_stacks() -> Limits {
    Limits {
        stack_size: 256 << 10,
        ..Limits::default()
    }
}

/// As [`serve_echo`], with an application thread: connections hold no thread.
fn echo_events() {
    let server = Server::builder().limits(small_stacks());
    let server = server.bind("127.0.0.1:0").unwrap();
    let handle = server.handle();
    tell(server.local_addr().unwrap());
    let end = thread::Builder::new().spawn(move || {
        asked().for_each(drop);
        handle.shutdown();
    });
    for event in server.events() {
        if let Event::Message(connection, message) = event {
            // The peer may have left meanwhile.
            let _ = connection.send(message);
        }
    }
    end.unwrap().join().unwrap();
}

#[test]
fn m04_connections_without_threads_leave_a_reserve_too() {
    if in_child() {
        return echo_events();
    }
    let test = "m04_connections_without_threads_leave_a_reserve_too";
    for setup in [
        "ulimit -v 50000",
        "ulimit -v 120000",
        // Nothing goes to heaps of threads.
        "export MALLOC_ARENA_MAX=1; ulimit -v 60000",
    ] {
        let (server, addr) = Child::server(test, setup);
        let mut clients = storm(addr, 500);
        if setup.contains("MALLOC") {
            assert!(clients.len() > 100, "{} are served", clients.len());
        }
        let message = frame(true, 2, &vec![0; 1 << 20]);
        for client in &mut clients {
            // It may be closed in the middle of it; nobody reads the answers.
            client.stream.set_nonblocking(true).unwrap();
            let _ = client.stream.write_all(&message);
        }
        drop(clients);
        assert!(server.end().success(), "{setup}");
    }
}

/// Each message may be a megabyte, and they never end.
#[test]
fn m04_long_messages_give_way_to_little_address_space() {
    if in_child() {
        return serve_echo(small_stacks());
    }
    let test = "m04_long_messages_give_way_to_little_address_space";
    // The allocator gives a megabyte back to the system each time. Left to itself it keeps what is freed below what is
    // not, and whether there is room for a thread then is luck.
    let setup = "export MALLOC_ARENA_MAX=1 MALLOC_MMAP_THRESHOLD_=131072; ulimit -v 60000";
    let (server, addr) = Child::server(test, setup);
    let mut clients = storm(addr, 150);
    assert!(clients.len() >= 20, "{} are served", clients.len());
    let mut unfinished = frame(true, 2, &vec![0; 1 << 20]);
    unfinished.pop();
    for client in &mut clients {
        // It may be closed in the middle of it.
        let _ = client.stream.write_all(&unfinished);
    }
    let mut closed = 0;
    wait_until("somebody gives way", || {
        clients.retain_mut(|client| {
            client.stream.set_nonblocking(true).unwrap();
            let close = client.try_read().ok();
            if let Some(close) = &close {
                assert_eq!(close.close().0, 1013);
                closed += 1;
            }
            close.is_none()
        });
        closed > 0
    });
    drop(clients);
    wait_until("there is room again", || !storm(addr, 1).is_empty());
    assert!(server.end().success());
}

/// How many of so many clients get a 101 that are all there before the first has said what it wants: each holds a
/// thread meanwhile.
fn burst(addr: SocketAddr, clients: usize) -> usize {
    let request = upgrade("localhost", "/", "");
    let (begin, end) = request.split_at(request.len() - 2);
    let half = |_| {
        let mut stream = dial(addr);
        // One that is refused may be closed already.
        let _ = stream.write_all(begin.as_bytes());
        stream
    };
    let streams: Vec<_> = (0..clients).map(half).collect();
    let answers = streams.into_iter().map(|mut stream| {
        let _ = stream.write_all(end.as_bytes());
        read_head(&mut stream).is_ok_and(|answer| answer.starts_with("HTTP/1.1 101 "))
    });
    answers.filter(|served| *served).count()
}

/// The system keeps the stacks of threads that have ended for the next ones, and they take address space meanwhile.
#[test]
fn m04_little_address_space_serves_after_each_burst() {
    if in_child() {
        return serve_echo(Limits {
            idle_thread_timeout: Duration::ZERO,
            ..Limits::default()
        });
    }
    let test = "m04_little_address_space_serves_after_each_burst";
    for kib in [55_000, 60_000, 65_536] {
        let (mut server, addr) = Child::server(test, &format!("ulimit -v {kib}"));
        let first = burst(addr, 60);
        assert!(first > 0, "with {kib} KiB");
        for _ in 0..3 {
            wait_until("all have left", || server.ask("connections") == "0");
            // How many depends on where the system put the first ones' stacks.
            wait_until(&format!("clients are served again, with {kib} KiB"), || {
                burst(addr, 60) > 0
            });
        }
        assert!(server.end().success(), "with {kib} KiB");
    }
}

/// The limit counts what a user has; root has none. So it takes root to become somebody who has nothing yet.
#[test]
fn m04_few_threads_for_the_user_lower_the_connections() {
    if in_child() {
        return serve_echo(Limits::default());
    }
    if !rustix::process::geteuid().is_root() {
        return println!("skipped: only root can become another user");
    }
    // A user of its own: another run of this test may be under way, and the limit counts both.
    let user = 100_000 + std::process::id();
    let setup = format!(
        "exec prlimit --nproc=100 setpriv --reuid {user} --regid {user} --clear-groups \"$0\" \"$@\""
    );
    let test = "m04_few_threads_for_the_user_lower_the_connections";
    let (server, addr) = Child::server(test, &setup);
    let served = storm(addr, 150).len();
    // Less 32 for everything else, and the threads that the test has.
    assert!((50..=68).contains(&served), "{served}");
    assert!(server.end().success());
}
