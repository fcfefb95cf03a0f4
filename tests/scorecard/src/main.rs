//! `scorecard [--quick] [--publish FILE] [--soak SECONDS] [LINE...]`: measures wshub's promises on release programs; see
//! tests/scorecard/run.

mod faults;
mod lines;
mod machine;
mod row;
mod subject;
mod table;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use lines::{LINES, Line, WAITING};
use row::Row;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What takes longest and is not in the quick mode.
const SLOW: &[&str] = &[
    "half-open",
    "emfile",
    "stalled-1",
    "stalled-100",
    "handshake-storm",
    "pings",
    "beside-idle",
    "idle-19000",
    "killed-15000",
];

#[derive(Default)]
struct Options {
    quick: bool,
    publish: Option<PathBuf>,
    soak: Option<Duration>,
    names: Vec<String>,
}

impl Options {
    fn parse() -> Result<Options, String> {
        let mut options = Options::default();
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match word.as_str() {
                "--quick" => options.quick = true,
                "--publish" => options.publish = Some(value()?.into()),
                "--soak" => {
                    let seconds = value()?.parse().map_err(|_| "--soak: seconds")?;
                    options.soak = Some(Duration::from_secs(seconds));
                }
                name if LINES.iter().chain(WAITING).any(|line| line.0 == name) => {
                    options.names.push(word);
                }
                _ => {
                    let names: Vec<_> = LINES.iter().chain(WAITING).map(|line| line.0).collect();
                    return Err(format!(
                        "no option and no line {word}; lines: {}",
                        names.join(" ")
                    ));
                }
            }
        }
        let whole = !options.quick && options.names.is_empty() && options.soak.is_none();
        if options.publish.is_some() && !whole {
            return Err("only the whole table is published".to_owned());
        }
        Ok(options)
    }

    fn wants(&self, name: &str) -> bool {
        match self.names.as_slice() {
            [] => !(self.quick && SLOW.contains(&name)),
            names => names.iter().any(|it| it == name),
        }
    }
}

fn main() -> ExitCode {
    let options = match Options::parse() {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    allow_descriptors();
    let begin = Instant::now();
    let rows = match options.soak {
        Some(time) => shown(measure("soak", || lines::soak(time))),
        None => run(&options),
    };
    let failed = rows.iter().filter(|row| !row.holds).count();
    println!(
        "{failed} of {} lines failed, {} s",
        rows.len(),
        begin.elapsed().as_secs()
    );
    if let Some(readme) = &options.publish {
        if let Err(error) = table::publish(readme, &rows) {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::from(u8::from(failed > 0))
}

fn run(options: &Options) -> Vec<Row> {
    let wanted = |lines: &'static [(&str, Line)]| lines.iter().filter(|line| options.wants(line.0));
    let waiting: Vec<_> = wanted(WAITING)
        .map(|(name, line)| thread::spawn(move || measure(name, line)))
        .collect();
    let judged = |row: Row| match options.quick {
        true => row.on_any_machine(),
        false => row,
    };
    let shown = |rows: Vec<Row>| shown(rows.into_iter().map(judged).collect());
    let mut rows = Vec::new();
    for (name, line) in wanted(LINES) {
        rows.extend(shown(measure(name, line)));
    }
    for line in waiting {
        rows.extend(shown(line.join().expect("a line catches its panics")));
    }
    rows
}

/// A panic is what could not be measured, or what was wrong on the way.
fn measure(name: &str, line: impl FnOnce() -> Vec<Row>) -> Vec<Row> {
    catch_unwind(AssertUnwindSafe(line)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or(panic.downcast_ref::<&str>().copied());
        let text = text.and_then(|it| it.lines().next());
        vec![Row::broken(name, text.unwrap_or("a panic").to_owned())]
    })
}

fn shown(rows: Vec<Row>) -> Vec<Row> {
    rows.iter().for_each(|row| println!("{row}"));
    rows
}

/// 19,000 clients here and as many connections in the children.
fn allow_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = 20_000.min(limit.maximum.unwrap_or(20_000));
    let raised = Rlimit {
        current: Some(wanted),
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).expect("descriptors up to the hard limit");
}
