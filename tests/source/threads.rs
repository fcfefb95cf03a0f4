//! How the library starts threads, and where a panic ends on them.

use crate::imports::Tree;

/// `thread::spawn` panics where the system has no thread to give. `Builder::spawn` gives an error, and that of
/// `spawn::spawn` says what to raise.
#[test]
fn b08_no_thread_is_started_in_the_way_that_panics() {
    let tree = Tree::of_the_library();
    for file in tree.files() {
        let mut calls = file.tokens.windows(3);
        let found = calls.any(|it| match it {
            [thread, path, spawn] if path == "::" => thread == "thread" && spawn == "spawn",
            [dot, spawn, _] => dot == "." && spawn == "spawn" && file.path != "spawn.rs",
            _ => false,
        });
        assert!(!found, "src/{} is to use spawn::spawn", file.path);
    }
}

/// What it carries may panic in its destructor, which `panics::catch` sees to.
#[test]
fn b12_a_panic_ends_in_one_place() {
    let tree = Tree::of_the_library();
    for file in tree.files().filter(|file| file.path != "panics.rs") {
        let found = file.tokens.iter().any(|it| it == "catch_unwind");
        assert!(!found, "src/{} is to use panics::catch", file.path);
    }
}
