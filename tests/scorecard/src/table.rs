//! The table in the guide, between its markers.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::row::Row;

const BEGIN: &str = "<!-- scorecard: written by tests/scorecard/run --publish -->";
const END: &str = "<!-- scorecard end -->";

pub fn publish(chapter: &Path, rows: &[Row]) -> Result<(), String> {
    let text =
        fs::read_to_string(chapter).map_err(|error| format!("{}: {error}", chapter.display()))?;
    let (Some((before, rest)), 1) = (text.split_once(BEGIN), text.matches(END).count()) else {
        return Err(format!(
            "{} needs the lines {BEGIN} and {END}, once each",
            chapter.display()
        ));
    };
    let (_, after) = rest
        .split_once(END)
        .ok_or("the markers are in the wrong order")?;
    let table = table(rows);
    let text = format!("{before}{BEGIN}\n\n{}\n\n{table}\n{END}{after}", machine());
    fs::write(chapter, text).map_err(|error| error.to_string())
}

fn table(rows: &[Row]) -> String {
    let mut table = "| what | measured | bound | |\n|---|---|---|---|\n".to_owned();
    for row in rows {
        let cells = [&*row.what, &*row.value, &*row.bound, row.verdict()];
        table += &format!(
            "| {} |\n",
            cells.map(|cell| cell.replace('|', "\\|")).join(" | ")
        );
    }
    table
}

/// When and where.
fn machine() -> String {
    let date = Command::new("date").args(["-u", "+%Y-%m-%d"]).output();
    let date = date.map(|it| String::from_utf8_lossy(&it.stdout).trim().to_owned());
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("", |it| it.trim_start_matches([' ', '\t', ':']));
    format!(
        "{}, {cpus} cores of {model}; clients and server share them.",
        date.unwrap_or_default()
    )
}
