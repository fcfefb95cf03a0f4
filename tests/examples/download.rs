//! The example of a large download, with a fast client, a slow one, and a feed beside them.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use crate::support::example::{Example, command};
use crate::support::{Client, wait_until};

/// How much is sent to each; the example's own default is 1 GiB, which `WSHUB_MIB=1024` makes it here, too.
fn mib() -> usize {
    std::env::var("WSHUB_MIB").map_or(32, |mib| mib.parse().expect("a number"))
}

/// Reads all of it, with so long a pause after each 8 MiB; how many bytes that were.
fn download(addr: SocketAddr, path: &str, pause: Duration) -> usize {
    let mut client = Client::connect_with(addr, path, "");
    let (mut read, mut rest) = (0, 8 << 20);
    loop {
        let frame = client.read();
        if frame.opcode == 8 {
            client.send_close(1000, "");
            return read;
        }
        read += frame.payload.len();
        rest -= frame.payload.len() as isize;
        if rest <= 0 {
            thread::sleep(pause);
            rest = 8 << 20;
        }
    }
}

#[test]
fn a_download_takes_no_memory_however_slow_its_client() {
    let mib = mib();
    let mut command = command("download");
    let example = Example::serving(command.args(["127.0.0.1:0", &mib.to_string()]));
    let mut feed = Client::connect(example.addr);
    let addr = example.addr;
    let slow = thread::spawn(move || download(addr, "/download", Duration::from_millis(50)));
    let fast = thread::spawn(move || download(addr, "/download", Duration::ZERO));
    assert!(feed.read_message().text().starts_with("second "));
    for client in [fast, slow] {
        assert_eq!(client.join().unwrap(), mib << 20);
    }
    let told = || {
        let mut lines = example.process.stdout();
        lines.retain(|line| line.contains(&format!(": {mib} MiB in ")));
        lines
    };
    wait_until("it says how both went", || told().len() == 2);
    for line in told() {
        println!("{line}");
        let kib = line
            .rsplit("grew by ")
            .next()
            .and_then(|text| text.strip_suffix(" KiB"));
        let kib: usize = kib.expect("the memory, on Linux").parse().unwrap();
        // What waits for each client at most, and what the first of them makes the process take.
        assert!(kib < 2 << 10, "{line}");
    }
    let path = "/download?by=thread";
    let by_thread = thread::spawn(move || download(addr, path, Duration::from_millis(50)));
    assert_eq!(by_thread.join().unwrap(), mib << 20);
}
