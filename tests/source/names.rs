//! A type's name is used once in the crate, so that a reader knows which one is meant wherever it stands. And
//! nothing is visible to a part of the crate only.

use std::collections::BTreeMap;

use crate::files::sources;
use crate::imports::Tree;
use crate::tokens::tokens;

/// Names that users meet in two modules, where the module tells them apart.
const IN_TWO_MODULES: [&str; 2] = ["Client", "Limits"];

/// The types that a file defines, without those of an `impl`.
fn defined(source: &str) -> Vec<String> {
    let (mut depth, mut found) = (0, Vec::new());
    for pair in tokens(source).windows(2) {
        match pair[0].as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            "struct" | "enum" | "trait" => found.push(pair[1].clone()),
            "type" if depth == 0 => found.push(pair[1].clone()),
            _ => {}
        }
    }
    found
}

/// What stands in for a feature that is off has the names of the feature, what stands on Windows those of Unix, and
/// tests have their own.
fn counts(path: &str) -> bool {
    let mut parts = path.trim_end_matches(".rs").split('/');
    !parts.any(|part| ["tests", "absent", "winsock"].contains(&part))
}

#[test]
fn what_is_visible_is_visible_in_the_crate_or_to_all() {
    let tree = Tree::of_the_library();
    for file in tree.files() {
        let mut words = file.tokens.windows(3);
        let found = words.find(|it| it[..2] == ["pub", "("] && it[2] != "crate");
        assert!(found.is_none(), "src/{} is to say pub(crate)", file.path);
    }
}

#[test]
fn a_type_has_a_name_of_its_own() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, text) in sources().filter(|(path, _)| counts(path)) {
        for name in defined(&text) {
            places.entry(name).or_default().push(path.clone());
        }
    }
    places.retain(|name, paths| paths.len() > 1 && !IN_TWO_MODULES.contains(&name.as_str()));
    assert!(places.is_empty(), "one name for several types: {places:?}");
}

#[test]
fn the_types_of_a_file_are_found() {
    let source = "pub(crate) struct A<T>(T);\nenum B {}\nimpl C for A { type Item = u8; }\ntype D = u8;\ntrait E {} // struct F";
    assert_eq!(defined(source), ["A", "B", "D", "E"]);
}
