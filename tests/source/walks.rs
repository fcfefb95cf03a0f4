//! The way through the code as the guide tells it: each file that it names is there, and has the function.

use std::fs;
use std::path::Path;

const DESIGN: &str = include_str!("../../src/guide/design.md");

/// What stands between backticks, for each line.
fn quoted(line: &str) -> Vec<&str> {
    line.split('`').skip(1).step_by(2).collect()
}

fn source(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(root.join(path)).unwrap_or_else(|_| panic!("the guide names {path}"))
}

#[test]
fn every_file_and_function_that_the_design_names_exists() {
    let (mut files, mut functions) = (0, 0);
    for line in DESIGN.lines() {
        let words = quoted(line);
        for path in words.iter().filter(|word| word.ends_with(".rs")) {
            source(path);
            files += 1;
        }
        let step = words
            .split_first()
            .filter(|(path, _)| path.ends_with(".rs"));
        if let Some((path, [function])) = step {
            let begins = [format!("fn {function}("), format!("fn {function}<")];
            let text = source(path);
            let is_there = begins.iter().any(|begin| text.contains(begin.as_str()));
            assert!(is_there, "{path} has no {function}");
            functions += 1;
        }
    }
    assert!(
        files >= 25 && functions >= 20,
        "{files} files, {functions} functions"
    );
}
