//! The changes that no test can notice, as `tests/mutants/survivors` lists them: each is one of code that is there.

use std::fs;
use std::path::Path;

#[test]
fn every_survivor_names_a_function_that_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = fs::read_to_string(root.join("tests/mutants/survivors")).unwrap();
    let changes = list.lines().filter(|line| line.starts_with("src/"));
    let gone: Vec<&str> = changes.filter(|line| !is_there(root, line)).collect();
    assert!(gone.is_empty(), "{gone:#?}");
}

/// A line is `FILE: replace THIS with THAT in TYPE::FUNCTION`, `FILE: delete THIS in TYPE::FUNCTION`, or `FILE: replace
/// TYPE::FUNCTION -> RETURNED with THAT`.
fn is_there(root: &Path, line: &str) -> bool {
    let (file, change) = line.split_once(": ").unwrap();
    let source = fs::read_to_string(root.join(file)).unwrap_or_default();
    let replaced = change.trim_start_matches("replace ");
    let function = match (change.rsplit_once(" in "), replaced.split_once(" -> ")) {
        (Some((_, function)), _) => function,
        (None, Some((function, _))) => function,
        // Of a constant.
        (None, None) => return !source.is_empty(),
    };
    let name = function.rsplit("::").next().unwrap();
    source.contains(&format!("fn {name}("))
}
