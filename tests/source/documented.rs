//! What the docs of every public type have: an example, and the way to its chapter of the guide.

use crate::files::sources;

/// The last names of the headings of `public.txt`, without functions.
fn public_types() -> impl Iterator<Item = &'static str> {
    include_str!("public.txt")
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .map(|path| path.rsplit("::").next().unwrap())
        .filter(|name| name.starts_with(char::is_uppercase))
}

/// The type that a line begins to define.
fn defined(line: &str) -> Option<&str> {
    let kinds = ["struct ", "enum ", "trait ", "type "];
    let rest = line.strip_prefix("pub ")?;
    let name = kinds.iter().find_map(|kind| rest.strip_prefix(kind))?;
    name.split(|c: char| !c.is_alphanumeric()).next()
}

/// The docs above line number `at`, with attributes between.
fn docs<'a>(lines: &[&'a str], at: usize) -> Vec<&'a str> {
    let above = lines[..at].iter().rev().copied();
    let end = |line: &&str| !line.is_empty() && !line.starts_with('}');
    above
        .take_while(end)
        .skip_while(|line| !line.starts_with("///"))
        .take_while(|line| line.starts_with("///"))
        .collect()
}

#[test]
fn every_public_type_has_an_example_and_a_chapter() {
    let mut missing: Vec<String> = Vec::new();
    let mut seen = Vec::new();
    for (path, source) in sources() {
        let lines: Vec<&str> = source.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let Some(name) = defined(line).filter(|name| public_types().any(|it| it == *name))
            else {
                continue;
            };
            seen.push(name.to_owned());
            let docs = docs(&lines, at);
            if !docs.iter().any(|line| line.starts_with("/// ```")) {
                missing.push(format!("{path}: {name} has no example"));
            }
            if !docs.iter().any(|line| line.contains("(crate::guide::")) {
                missing.push(format!("{path}: {name} links to no chapter of the guide"));
            }
        }
    }
    for name in public_types().filter(|name| !seen.iter().any(|it| it == name)) {
        missing.push(format!("{name} is defined nowhere"));
    }
    assert!(missing.is_empty(), "{missing:#?}");
}
