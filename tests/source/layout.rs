//! Where tests are: none is in a file that no program includes, and those beside code have one layout.
//! And how wide comments are.

use std::fs;
use std::path::Path;

use crate::files::sources;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The names of the Rust files in a folder below tests, without what they all end with.
fn files_of(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(root().join("tests").join(folder)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names
        .filter_map(|name| Some(name.strip_suffix(".rs")?.to_owned()))
        .collect()
}

fn declares(source: &str, module: &str) -> bool {
    let ends = [format!("mod {module};"), format!("\"{module}.rs\"]")];
    source
        .lines()
        .any(|line| ends.iter().any(|end| line.ends_with(end.as_str())))
}

#[test]
fn every_file_of_tests_is_in_a_program() {
    for folder in ["api", "examples", "source"] {
        let main = fs::read_to_string(root().join("tests").join(folder).join("main.rs")).unwrap();
        for file in files_of(folder) {
            assert!(
                file == "main" || declares(&main, &file),
                "tests/{folder}/main.rs has no mod {file}"
            );
        }
    }
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    for file in files_of("process") {
        let path = format!("path = \"tests/process/{file}.rs\"");
        assert!(
            manifest.contains(&path),
            "Cargo.toml has no [[test]] with {path}"
        );
    }
}

#[test]
fn every_file_of_src_is_in_the_library() {
    let files: Vec<_> = sources().collect();
    let text = |path: &str| {
        files
            .iter()
            .find(|(other, _)| other == path)
            .map(|(_, text)| text)
    };
    for (path, _) in files.iter().filter(|(path, _)| path != "lib.rs") {
        let module = path.trim_end_matches(".rs").trim_end_matches("/mod");
        let (parents, name) = match module.rsplit_once('/') {
            Some((parent, name)) => ([format!("{parent}.rs"), format!("{parent}/mod.rs")], name),
            None => (["lib.rs".to_owned(), String::new()], module),
        };
        let declared = parents
            .iter()
            .filter_map(|parent| text(parent))
            .any(|source| declares(source, name));
        assert!(declared, "no module has src/{path}");
    }
}

#[test]
fn tests_beside_code_are_in_files_of_their_own() {
    for (path, source) in sources() {
        let inside = source.lines().any(|line| line.starts_with("mod tests {"));
        assert!(!inside, "move the tests of src/{path} to a file tests.rs");
        let is_tests = path.ends_with("tests.rs") || path.contains("/tests/");
        assert!(
            is_tests || !source.contains("#[test]\n"),
            "move the tests of src/{path} to a file tests.rs"
        );
    }
}

/// Columns that a line of comment takes at the most.
const COMMENT_WIDTH: usize = 120;

/// The numbers of the lines of comment that are too wide. A row of a table cannot be broken, nor can a line of an
/// example.
fn wide_comments(source: &str) -> Vec<usize> {
    let (mut in_example, mut wide) = (false, Vec::new());
    for (at, line) in source.lines().enumerate() {
        let Some(text) = line.trim_start().strip_prefix("//") else {
            in_example = false;
            continue;
        };
        let text = text.trim_start_matches(['/', '!']).trim_start();
        in_example ^= text.starts_with("```");
        let is_free = in_example || text.starts_with('|') || !text.contains(' ');
        if !is_free && line.chars().count() > COMMENT_WIDTH {
            wide.push(at + 1);
        }
    }
    wide
}

#[test]
fn comments_are_wrapped_at_one_width() {
    for (path, source) in sources() {
        let wide = wide_comments(&source);
        assert!(
            wide.is_empty(),
            "src/{path}: comments wider than {COMMENT_WIDTH} in lines {wide:?}"
        );
    }
}

#[test]
fn a_wide_comment_is_found() {
    let words = "word ".repeat(30);
    let source = format!(
        "// {words}\n/// | {words}\n/// ```\n/// {words}\n/// ```\nlet x;\n    //! {words}\n"
    );
    assert_eq!(wide_comments(&source), [1, 7]);
}
