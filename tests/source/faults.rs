//! The anchors of the faults that the models must find: each `// prevents: NAME` in the code is in
//! `tests/model/faults.list`, and each name there has one anchor.

use std::fs;
use std::path::Path;

use crate::files::sources;

#[test]
fn every_fault_has_one_anchor_and_every_anchor_a_fault() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = fs::read_to_string(root.join("tests/model/faults.list")).unwrap();
    let mut faults: Vec<&str> = list
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split(": ").next().filter(|name| !name.is_empty()))
        .collect();
    let code: Vec<String> = sources().map(|(_, text)| text).collect();
    let mut anchors: Vec<&str> = code
        .iter()
        .flat_map(|text| text.lines())
        .filter_map(|line| line.trim_start().strip_prefix("// prevents: "))
        .collect();
    faults.sort_unstable();
    anchors.sort_unstable();
    assert_eq!(
        anchors, faults,
        "anchors in src, and tests/model/faults.list"
    );
}
