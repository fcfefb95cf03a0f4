//! Files that need each other are read and changed together. Few may, and each group of them is known.

use std::collections::{BTreeMap, BTreeSet};

use crate::imports::{Import, Tree};

/// The groups that are left. Within a group each file needs every other one, perhaps through the rest. What many of them
/// have in common is named: a server's `hub` has the application's code, which is given handles of the server.
const CIRCLES: &[&[&str]] = &[
    &["connection/credit.rs", "connection/mod.rs"],
    &[
        "outbox/entry.rs",
        "outbox/leader_queue.rs",
        "outbox/mod.rs",
        "outbox/owner.rs",
        "outbox/state.rs",
        "outbox/taken_turn.rs",
        "outbox/wait.rs",
    ],
    &["poller/deadlines.rs", "poller/mod.rs"],
    &["poller/winsock/mod.rs", "poller/winsock/waits.rs"],
    &[
        "server/handle.rs",
        "server/hooks.rs",
        "server/hub.rs",
        "server/session.rs",
    ],
    &[
        "socketio/engine/link.rs",
        "socketio/engine/sessions.rs",
        "socketio/engine/timer.rs",
    ],
    &[
        "transport/clock.rs",
        "transport/memory.rs",
        "transport/mod.rs",
    ],
];

/// The groups of files that need each other, in the order of their names.
fn circles(imports: &BTreeSet<Import>) -> Vec<Vec<&str>> {
    let mut needs: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for import in imports {
        needs.entry(&import.from).or_default().push(&import.to);
    }
    let behind: BTreeMap<&str, BTreeSet<&str>> = needs
        .keys()
        .map(|file| (*file, all_behind(file, &needs)))
        .collect();
    let needs_all = |one: &str, other: &str| behind.get(one).is_some_and(|it| it.contains(other));
    let mut groups: BTreeSet<Vec<&str>> = BTreeSet::new();
    for (file, behind) in &behind {
        let group = behind.iter().filter(|other| needs_all(other, file));
        groups.insert(group.copied().collect());
    }
    groups.into_iter().filter(|group| group.len() > 1).collect()
}

fn all_behind<'a>(file: &'a str, needs: &BTreeMap<&'a str, Vec<&'a str>>) -> BTreeSet<&'a str> {
    let (mut seen, mut next) = (BTreeSet::new(), vec![file]);
    while let Some(file) = next.pop() {
        for needed in needs.get(file).into_iter().flatten() {
            if seen.insert(*needed) {
                next.push(needed);
            }
        }
    }
    seen
}

#[test]
fn files_that_need_each_other_are_known() {
    let needs = Tree::of_the_library().needs();
    let found: BTreeSet<_> = circles(&needs).into_iter().collect();
    let known: BTreeSet<_> = CIRCLES.iter().map(|group| sorted(group)).collect();
    let unknown: Vec<_> = found.difference(&known).collect();
    let gone: Vec<_> = known.difference(&found).collect();
    assert!(
        unknown.is_empty() && gone.is_empty(),
        "circles that the list does not have: {unknown:#?}; take these off the list: {gone:#?}"
    );
}

fn sorted<'a>(group: &[&'a str]) -> Vec<&'a str> {
    let mut group = group.to_vec();
    group.sort_unstable();
    group
}

#[test]
fn circles_are_found() {
    let import = |(from, to): (&str, &str)| Import {
        from: from.to_owned(),
        to: to.to_owned(),
    };
    let imports = [
        ("a", "b"),
        ("b", "c"),
        ("c", "a"),
        ("c", "d"),
        ("d", "e"),
        ("f", "a"),
    ];
    let imports = imports.map(import).into_iter().collect();
    assert_eq!(circles(&imports), [["a", "b", "c"]]);
}
