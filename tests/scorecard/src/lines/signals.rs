//! Signals that interrupt whatever call a thread is in.

use std::fs;
use std::time::{Duration, Instant};

use scorecard::support::Client;

use super::start;
use crate::faults::Faults;
use crate::row::Row;
use crate::subject::Subject;

const CLIENTS: usize = 50;
const TIME: Duration = Duration::from_secs(3);

pub fn signals() -> Vec<Row> {
    let faults = Faults::new("signals");
    let mut subject = Subject::start(&mut faults.preload(Subject::command("echo")));
    let addr = subject.addr();
    let echoed = start(CLIENTS, move |number| {
        let mut client = Client::connect(addr);
        let (begin, mut count) = (Instant::now(), 0_u64);
        while begin.elapsed() < TIME {
            let text = format!("{number} says {count}").repeat(1 + number * 50);
            client.send_text(&text);
            assert_eq!(client.read_message().text(), text);
            count += 1;
        }
        count
    });
    let (begin, mut signals) = (Instant::now(), 0_u64);
    while begin.elapsed() < TIME {
        for thread in fs::read_dir(format!("/proc/{}/task", subject.id())).unwrap() {
            let name = thread.unwrap().file_name();
            signals += u64::from(interrupt(
                subject.id(),
                name.to_str().unwrap().parse().unwrap(),
            ));
        }
    }
    let served = echoed.iter().collect::<Vec<u64>>();
    assert!(signals > 1_000, "only {signals} signals");
    assert!(served.iter().all(|count| *count > 0), "{served:?}");
    assert!(subject.terminate().success());
    vec![Row::exactly(
        format!(
            "of 50 clients served without a fault beside {} thousand signals",
            signals / 1_000
        ),
        served.len(),
        CLIENTS,
    )]
}

/// SIGUSR1 to one thread, which faults/ catches; false when the thread has ended.
fn interrupt(process: u32, thread: libc::c_long) -> bool {
    // SAFETY: tgkill(2) takes numbers and touches no memory.
    let sent = unsafe { libc::syscall(libc::SYS_tgkill, process, thread, libc::SIGUSR1) };
    sent == 0
}
