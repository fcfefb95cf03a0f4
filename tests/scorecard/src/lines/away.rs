//! An application that does something else for five seconds.

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use load::histogram::Histogram;
use scorecard::support::{Client, PATIENCE, frame};

use crate::row::Row;
use crate::subject::Subject;

const AWAY: Duration = Duration::from_secs(5);
const LEAVING: usize = 20;

pub fn away() -> Vec<Row> {
    let mut subject = Subject::with("away", &[]);
    let mut pinging = Client::connect(subject.addr());
    let leaving = (0..LEAVING).map(|_| Client::connect(subject.addr()));
    let mut leaving: Vec<Client> = leaving.collect();
    let mut sending_away = Client::connect(subject.addr());
    sending_away.send_text("go");
    let begin = Instant::now();
    // The stand-in takes over after a millisecond or two.
    thread::sleep(Duration::from_millis(20));

    let mut closed = Duration::ZERO;
    for client in &mut leaving {
        closed = closed.max(time(|| {
            client.send_close(1000, "");
            assert_eq!(client.read_message().close().0, 1000);
        }));
    }
    let handshakes = (0..LEAVING).map(|_| time(|| drop(Client::connect(subject.addr()))));
    let handshake = handshakes.max().unwrap_or_default();
    let mut pongs = Histogram::new();
    while begin.elapsed() < AWAY {
        pongs.add(time(|| {
            pinging.stream.write_all(&frame(true, 9, b"")).unwrap();
            assert_eq!(pinging.read().opcode, 10);
        }));
        thread::sleep(Duration::from_millis(10));
    }
    subject.process().type_in("back\n");
    assert_eq!(sending_away.read_message().text(), "go");
    let pong = |quantile| Duration::from_secs_f64(pongs.quantile(quantile) / 1e6);
    let told = subject.wait_for_closes(2 * LEAVING, PATIENCE);
    vec![
        Row::ms("application away for 5 s: pong, median", pong(0.5), 5),
        Row::ms("pong, p99", pong(0.99), 250),
        Row::ms(
            "the slowest of 20 closing handshakes meanwhile",
            closed,
            250,
        ),
        Row::ms(
            "the slowest of 20 opening handshakes meanwhile",
            handshake,
            250,
        ),
        Row::exactly(
            "all 40 Close events came when it was back",
            told.is_some(),
            true,
        ),
    ]
}

fn time(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}
