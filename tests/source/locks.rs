//! Every lock of the library has its place in the order.

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

#[test]
fn what_is_taken_from_sync_is_seen() {
    let source = "use std::sync::{Arc, Mutex, atomic::AtomicU8};\nlet x: std::sync::RwLock<u8>;";
    let tokens = crate::tokens::tokens(source);
    let taken = taken_from_sync(&tokens);
    assert!(taken.contains(&"Mutex") && taken.contains(&"RwLock"));
}
