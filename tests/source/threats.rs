//! The table of threats, `tests/threats.md`, against the tests: each row has some or a reason, and each is in its row.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

const THREATS: &str = include_str!("../threats.md");

/// What the table has for a row.
#[derive(Default)]
struct Row<'a> {
    tests: BTreeSet<&'a str>,
    reasons: Vec<&'a str>,
}

/// The rows of a table by their ids: a heading `### IDS: TITLE` each, and below it a list of tests and reasons.
fn rows_of(text: &str) -> BTreeMap<&str, Row<'_>> {
    let mut rows = BTreeMap::<&str, Row<'_>>::new();
    let mut ids = "";
    for line in text.lines() {
        if line.starts_with('#') {
            let heading = line.strip_prefix("### ").unwrap_or_default();
            ids = heading.split(": ").next().unwrap_or_default();
        } else if let Some(item) = line.strip_prefix("- ").filter(|_| !ids.is_empty()) {
            for id in ids.split(", ") {
                rows.entry(id).or_default().take(item);
            }
        }
    }
    rows
}

impl<'a> Row<'a> {
    fn take(&mut self, item: &'a str) {
        if let Some(reason) = item.strip_prefix("Not tested: ") {
            self.reasons.push(reason);
        } else {
            let name = item
                .strip_prefix('`')
                .and_then(|name| name.strip_suffix('`'));
            self.tests.insert(name.expect(item));
        }
    }
}

/// The ids in all headings, also of those with nothing below them.
fn ids(text: &str) -> Vec<&str> {
    text.lines()
        .filter_map(|line| line.strip_prefix("### ")?.split_once(": "))
        .flat_map(|(ids, _)| ids.split(", "))
        .collect()
}

/// The names of all functions in these sources with `#[test]` on them.
fn tests_in(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // Other workspaces have lists of their own.
        if path.is_dir() && !path.join("Cargo.toml").exists() {
            tests_in(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.extend(tests_of(&fs::read_to_string(&path).unwrap()));
        }
    }
}

fn tests_of(source: &str) -> Vec<String> {
    let functions = source
        .split("\n")
        .skip_while(|line| line.trim() != "#[test]");
    let mut is_test = false;
    let mut names = Vec::new();
    for line in functions.map(str::trim) {
        if line == "#[test]" {
            is_test = true;
        } else if let Some(rest) = line.strip_prefix("fn ").filter(|_| is_test) {
            let name = rest.split(['(', '<']).next().unwrap_or_default();
            names.push(name.to_owned());
            is_test = false;
        }
    }
    names
}

fn all_tests() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = BTreeSet::new();
    tests_in(&root.join("src"), &mut found);
    tests_in(&root.join("tests"), &mut found);
    found
}

/// The rows that a test is named after: `f01_to_f04_…`, `b04_b05_…`, `…_cve_2023_43669_…`.
fn rows_named_by(test: &str) -> Vec<String> {
    let words: Vec<&str> = test.split('_').collect();
    let mut rows: Vec<String> = Vec::new();
    let mut numbers = words.iter().peekable();
    let mut last = None;
    while let Some(word) = numbers.next() {
        if let Some((letter, number)) = row_number(word) {
            rows.push(format!("{letter}{number}"));
            last = Some(number);
        } else if let (&"to", Some(first)) = (word, last) {
            let Some((letter, end)) = numbers.peek().and_then(|word| row_number(word)) else {
                break;
            };
            rows.extend((first + 1..end).map(|number| format!("{letter}{number}")));
        } else {
            break;
        }
    }
    for (at, word) in words.iter().enumerate() {
        let parts = match *word {
            "cve" | "rustsec" | "go" => 3,
            "ghsa" => 4,
            _ => continue,
        };
        let id = words.get(at..at + parts).unwrap_or_default();
        let numbers = id
            .iter()
            .skip(1)
            .all(|word| word.contains(|c: char| c.is_ascii_digit()));
        if !id.is_empty() && numbers {
            let (kind, rest) = (word.to_uppercase(), id[1..].join("-"));
            rows.push(format!("{kind}-{rest}"));
        }
    }
    rows
}

/// `h07` is row 7 of H.
fn row_number(word: &str) -> Option<(String, u32)> {
    let (letter, number) = word.split_at_checked(1)?;
    let is_row = "hfbmtx".contains(letter) && number.len() == 2;
    let number = number.parse().ok().filter(|_| is_row)?;
    Some((letter.to_uppercase(), number))
}

#[test]
fn every_row_has_its_tests_or_its_reason() {
    let rows = rows_of(THREATS);
    assert!(rows.len() > 180, "only {} rows were found", rows.len());
    for id in ids(THREATS) {
        assert!(rows.contains_key(id), "no test and no reason: {id}");
    }
    for (id, row) in rows {
        let long = row.reasons.iter().all(|reason| reason.len() > 20);
        assert!(long, "a reason of {id} says too little");
    }
}

#[test]
fn no_row_is_there_twice_and_no_number_is_left_out() {
    let ids = ids(THREATS);
    let unique: BTreeSet<_> = ids.iter().collect();
    assert_eq!(unique.len(), ids.len(), "a row is there twice");
    for (letter, last) in [
        ("H", 26),
        ("F", 18),
        ("B", 22),
        ("T", 4),
        ("X", 4),
        ("M", 12),
    ] {
        for number in 1..=last {
            let id = format!("{letter}{number}");
            assert!(ids.contains(&&*id), "{id} is missing");
        }
    }
}

#[test]
fn every_test_that_is_named_exists() {
    let all = all_tests();
    assert!(all.len() > 300, "only {} tests were found", all.len());
    for (id, row) in rows_of(THREATS) {
        for test in row.tests {
            assert!(all.contains(test), "{id}: there is no test {test}");
        }
    }
}

#[test]
fn every_test_named_after_a_row_is_in_its_row() {
    let rows = rows_of(THREATS);
    let mut missing = Vec::new();
    for test in all_tests() {
        for id in rows_named_by(&test) {
            let row = rows.get(&*id);
            if !row.is_some_and(|row| row.tests.contains(&*test)) {
                missing.push(format!("{id}: {test}"));
            }
        }
    }
    assert!(
        missing.is_empty(),
        "add to tests/threats.md, as a list below the heading of the row: {missing:#?}"
    );
}

#[test]
fn a_row_is_a_heading_and_its_list() {
    let text = "- no row\n### H1, GO-2-3: a title\n\nInput.\n\n- `one`\n- Not tested: why\n\n### H2: b\n## c\n- d";
    let rows = rows_of(text);
    assert_eq!(rows.keys().copied().collect::<Vec<_>>(), ["GO-2-3", "H1"]);
    assert!(rows["H1"].tests.contains("one"));
    assert_eq!(rows["GO-2-3"].reasons, ["why"]);
    assert_eq!(ids(text), ["H1", "GO-2-3", "H2"]);
}

#[test]
fn names_say_their_rows() {
    for (name, rows) in [
        ("h07_upgrade_is_a_token_list", &["H7"][..]),
        ("f01_to_f04_malformed", &["F1", "F2", "F3", "F4"]),
        ("b04_b05_a_flood", &["B4", "B5"]),
        ("f06_cve_2022_35922_lengths", &["F6", "CVE-2022-35922"]),
        ("rustsec_2025_0024_channel", &["RUSTSEC-2025-0024"]),
        ("ghsa_jc97_h3h9_7xh6_lists", &["GHSA-jc97-h3h9-7xh6"]),
        ("a_b01_is_not_at_the_begin", &[]),
        ("go_on", &[]),
    ] {
        assert_eq!(rows_named_by(name), rows, "{name}");
    }
    let source = "#[test]\nfn one() {}\nfn two() {}\n#[test]\n#[ignore]\nfn three<T>() {}";
    assert_eq!(tests_of(source), ["one", "three"]);
}
