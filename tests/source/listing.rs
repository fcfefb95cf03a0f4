//! What the crate shows, in a list: `public.txt` beside this file. A change of a public name, signature, field, variant
//! or trait shows there, so that none goes unseen into a release.
//!
//! The list is read from the text of `src`, from what `src/lib.rs`, `testing` and `socketio` give away. Attributes in
//! it are those that users meet: features, derived traits, and what may grow.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use crate::files::sources;
use crate::items::{Item, Kind, items, parts, spaced};

/// What is given away: by the module that users find it in, and its name.
type Given = BTreeMap<(&'static str, String), Gift>;

struct Gift {
    /// The features it needs.
    attributes: Vec<String>,
    /// `testing` has it from another room.
    is_passed_on: bool,
}

/// One line or block of the list, for a type, trait or function.
#[derive(Default)]
struct Entry {
    definition: String,
    methods: Vec<String>,
    traits: BTreeSet<String>,
}

/// The files that give something away, and the module that users find it in.
const GIVING: [(&str, &str); 6] = [
    ("lib.rs", ""),
    ("testing/mod.rs", "testing::"),
    ("socketio/mod.rs", "socketio::"),
    ("socketio/bridge/mod.rs", "socketio::bridge::"),
    ("socketio/engine/mod.rs", "socketio::engine::"),
    ("socketio/testing.rs", "socketio::testing::"),
];

fn given(files: &[(String, Vec<Item>)]) -> Given {
    let mut given = Given::new();
    for (path, place) in GIVING {
        let (_, items) = files.iter().find(|(other, _)| other == path).unwrap();
        for item in items.iter().filter(|item| item.is_public) {
            for name in item.names() {
                let gift = Gift {
                    attributes: item.shown_attributes(),
                    is_passed_on: item.signature().starts_with("pub use crate::"),
                };
                given.insert((place, name), gift);
            }
        }
    }
    given
}

/// Where users find what a file has under this name, and the features that it needs.
fn place<'a>(given: &'a Given, path: &str, name: &str) -> Option<(String, &'a Gift)> {
    let is_of_testing = path.starts_with("testing/");
    let find = |place| given.get(&(place, name.to_owned()));
    let of_socketio = match path {
        "socketio/testing.rs" => Some("socketio::testing::"),
        _ if path.starts_with("socketio/bridge/") => Some("socketio::bridge::"),
        _ if path.starts_with("socketio/engine/") => Some("socketio::engine::"),
        _ => path.starts_with("socketio/").then_some("socketio::"),
    };
    if let Some((place, gift)) = of_socketio.and_then(|place| Some((place, find(place)?))) {
        return Some((format!("{place}{name}"), gift));
    }
    let own = find("").filter(|_| !is_of_testing).map(|gift| ("", gift));
    let in_testing = find("testing::").filter(|gift| is_of_testing || gift.is_passed_on);
    let (place, gift) = own.or(in_testing.map(|gift| ("testing::", gift)))?;
    Some((format!("{place}{name}"), gift))
}

fn listing() -> String {
    let is_part = |path: &str| {
        let parts: Vec<&str> = path.trim_end_matches(".rs").split('/').collect();
        !["tests", "fuzzing", "seeded", "absent", "winsock"]
            .iter()
            .any(|other| parts.contains(other))
    };
    let files: Vec<(String, Vec<Item>)> = sources()
        .filter(|(path, _)| is_part(path))
        .map(|(path, text)| (path, items(&text)))
        .collect();
    let given = given(&files);
    let own_traits: BTreeSet<String> = files
        .iter()
        .flat_map(|(_, items)| items)
        .filter(|item| item.kind == Kind::Trait)
        .filter_map(|item| item.names().pop())
        .collect();
    let mut entries: BTreeMap<String, Entry> = BTreeMap::new();
    for (path, items) in &files {
        for item in items {
            add(&mut entries, &given, &own_traits, path, item);
        }
    }
    write(&entries)
}

fn add(
    entries: &mut BTreeMap<String, Entry>,
    given: &Given,
    own_traits: &BTreeSet<String>,
    path: &str,
    item: &Item,
) {
    if item.kind == Kind::Impl {
        let (implemented, name) = item.implements();
        let Some((place, _)) = place(given, path, &name) else {
            return;
        };
        let entry = entries.entry(place).or_default();
        match implemented {
            None => entry.methods.extend(methods(item)),
            Some(name)
                if own_traits.contains(&name) && !given.contains_key(&("", name.clone())) => {}
            Some(_) => _ = entry.traits.insert(item.signature()),
        }
        return;
    }
    let known = matches!(
        item.kind,
        Kind::Struct | Kind::Enum | Kind::Trait | Kind::Other
    );
    let name = item.names().pop().filter(|_| known && item.is_public);
    let Some((place, gift)) = name.and_then(|name| place(given, path, &name)) else {
        return;
    };
    let attributes = [gift.attributes.clone(), item.shown_attributes()].concat();
    let mut definition = String::new();
    for attribute in attributes {
        let _ = writeln!(definition, "{attribute}");
    }
    let _ = writeln!(definition, "{}", item.signature());
    for part in parts(item) {
        let _ = writeln!(definition, "    {part}");
    }
    entries.entry(place).or_default().definition += &definition;
}

/// The public functions of an `impl`, with what the block asks for.
fn methods(block: &Item) -> Vec<String> {
    let mut found = Vec::new();
    let bounds = block.signature();
    for item in block.inner().iter().filter(|item| item.is_public) {
        let attributes = [block.shown_attributes(), item.shown_attributes()].concat();
        let attributes: String = attributes.iter().map(|it| format!("{it} ")).collect();
        found.push(format!("{attributes}{bounds} {{ {} }}", item.signature()));
    }
    found
}

fn write(entries: &BTreeMap<String, Entry>) -> String {
    let mut text = String::new();
    for (name, entry) in entries
        .iter()
        .filter(|(_, entry)| !entry.definition.is_empty())
    {
        let _ = writeln!(text, "## {name}\n{}", entry.definition.trim_end());
        for line in entry.methods.iter().chain(&entry.traits) {
            let _ = writeln!(text, "{line}");
        }
        text.push('\n');
    }
    text
}

#[test]
fn the_list_of_what_is_public_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/source/public.txt");
    let (now, then) = (
        listing(),
        std::fs::read_to_string(&path).unwrap_or_default(),
    );
    if std::env::var_os("WRITE_PUBLIC").is_some() {
        std::fs::write(&path, &now).unwrap();
        return;
    }
    let lines = |text: &str| -> BTreeSet<String> { text.lines().map(str::to_owned).collect() };
    let (new, old) = (lines(&now), lines(&then));
    let gone: Vec<_> = old
        .difference(&new)
        .map(|line| format!("- {line}"))
        .collect();
    let come: Vec<_> = new
        .difference(&old)
        .map(|line| format!("+ {line}"))
        .collect();
    assert!(
        now == then,
        "what is public has changed; if that is meant, run\n\
         WRITE_PUBLIC=1 cargo test --test source public\n\
         and commit tests/source/public.txt:\n{}\n{}",
        gone.join("\n"),
        come.join("\n")
    );
}

#[test]
fn the_list_has_what_users_meet() {
    let list = listing();
    for line in [
        "## Server",
        "## testing::Client",
        "pub fn serve<F>(",
        "impl Server { pub fn stats(&self) -> Stats }",
        "impl Eq for Connection",
        "#[cfg(feature = \"client\")]",
        "    Text(String),",
        "    pub max_message: usize,",
    ] {
        assert!(list.contains(line), "{line}");
    }
    for hidden in ["pub(crate)", "Hub", "## Outbox"] {
        assert!(!list.contains(hidden), "{hidden}");
    }
}

#[test]
fn signatures_are_written_as_they_are_read() {
    for text in [
        "pub fn f<'a, T: Into<String> + 'a>(&'a mut self, b: [u8; 4], c: &[(A, B)]) -> Result<(), E>",
        "impl<S: Read + Write> fmt::Debug for WebSocket<S>",
        "pub fn g(hook: impl Fn(&str, &Request) -> bool + Send + Sync + 'static) -> Self",
        "pub fn h<H: Handler + ?Sized>(x: *const u8) where H: Clone",
    ] {
        let read = items(&format!("{text} {{ let x = 1; }} // and a comment"));
        assert_eq!(read.len(), 1, "{text}");
        assert_eq!(read[0].signature(), text);
        assert_eq!(spaced(&crate::tokens::tokens(text)), text);
    }
}
