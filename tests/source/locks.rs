//! Every lock of the library has its place in the order.

use std::collections::BTreeMap;

use crate::files::sources;
use crate::imports::Tree;

/// What files take from `std::sync` by name: `Arc` and `Mutex` of `use std::sync::{Arc, Mutex, atomic::AtomicBool}`.
fn taken_from_sync(tokens: &[String]) -> Vec<&str> {
    let mut taken = Vec::new();
    for (at, path) in tokens.windows(4).enumerate() {
        if path == ["std", "::", "sync", "::"] {
            let names = tokens[at + 4..].iter().map(String::as_str);
            match tokens[at + 4].as_str() {
                "{" => taken.extend(names.skip(1).take_while(|name| *name != "}")),
                name => taken.push(name),
            }
        }
    }
    taken
}

#[test]
fn no_lock_is_without_its_place_in_the_order() {
    let tree = Tree::of_the_library();
    for file in tree.files().filter(|file| file.path != "lock/mod.rs") {
        for name in taken_from_sync(&file.tokens) {
            let own = ["Mutex", "MutexGuard", "RwLock"].contains(&name);
            assert!(!own, "src/{}: {name} is to be one of src/lock", file.path);
        }
    }
}

/// `Outbox` of outbox/mod.rs: what it guards.
#[test]
fn each_lock_names_the_type_that_has_it() {
    let sources: BTreeMap<String, String> = sources().collect();
    let (_, order) = sources["lock/order.rs"]
        .split_once("in_this_order! {")
        .unwrap();
    let (mut said, mut seen) = (String::new(), 0);
    for line in order.lines().map(str::trim) {
        if let Some(doc) = line.strip_prefix("///") {
            said.push_str(doc);
            continue;
        }
        // A test's own has no type in the library.
        let Some(name) = line.strip_suffix(',').filter(|name| *name != "PLAYED") else {
            continue;
        };
        let said = std::mem::take(&mut said);
        let owner = said
            .split_once(':')
            .and_then(|(it, _)| it.split_once(" of "));
        let (of_type, file) = owner.unwrap_or_else(|| panic!("whose is {name}: {said}"));
        let text = sources.get(file).unwrap_or_else(|| panic!("no {file}"));
        let of_type = of_type.trim_matches([' ', '`']);
        assert!(
            text.contains(of_type) && text.contains(&format!("{name}>")),
            "{name}: {said}"
        );
        seen += 1;
    }
    assert!(seen > 50, "{seen}");
}

#[test]
fn what_is_taken_from_sync_is_seen() {
    let source = "use std::sync::{Arc, Mutex, atomic::AtomicU8};\nlet x: std::sync::RwLock<u8>;";
    let tokens = crate::tokens::tokens(source);
    let taken = taken_from_sync(&tokens);
    assert!(taken.contains(&"Mutex") && taken.contains(&"RwLock"));
}
