use std::collections::HashMap;

use super::*;

fn nothing() -> Unreported {
    Unreported::Rooms {
        names: BTreeSet::new(),
        bytes: 0,
    }
}

/// What is told of these rooms, report by report.
fn told(unreported: &mut Unreported, rooms: &HashMap<String, usize>) -> (Vec<(String, u32)>, bool) {
    let members = |name: &str| rooms.get(name).copied().unwrap_or(0);
    let (counts, is_whole) = unreported.take(rooms.keys(), members);
    let counts = RoomCounts::read(&counts).unwrap();
    let counts = counts
        .iter()
        .map(|(name, members)| (name.to_owned(), members));
    (counts.collect(), is_whole)
}

#[test]
fn everything_is_told_first_and_then_what_has_changed() {
    let mut rooms = HashMap::from([("kitchen".to_owned(), 2)]);
    let mut unreported = Unreported::Everything;
    unreported.note("kitchen");
    assert_eq!(
        told(&mut unreported, &rooms),
        (vec![("kitchen".into(), 2)], true)
    );
    assert_eq!(told(&mut unreported, &rooms), (vec![], false));
    rooms.clear();
    unreported.note("kitchen");
    unreported.note("kitchen");
    assert_eq!(
        told(&mut unreported, &rooms),
        (vec![("kitchen".into(), 0)], false)
    );
    assert_eq!(told(&mut unreported, &rooms), (vec![], false));
}

#[test]
fn much_is_told_in_pieces_and_too_much_anew() {
    let name = |number: usize| format!("{number:0100}");
    let rooms: HashMap<_, _> = (0..2000).map(|number| (name(number), 1)).collect();
    let mut unreported = nothing();
    rooms.keys().for_each(|name| unreported.note(name));
    let mut seen = Vec::new();
    loop {
        let (counts, is_whole) = told(&mut unreported, &rooms);
        // Of 106 bytes each: 8 KiB, and the last one.
        assert!(!is_whole && counts.len() <= 78);
        if counts.is_empty() {
            break;
        }
        seen.extend(counts);
    }
    seen.sort_unstable();
    let all = (0..2000).map(|number| (name(number), 1));
    assert!(seen.into_iter().eq(all));

    (0..20_000).for_each(|number| unreported.note(&name(number)));
    assert!(matches!(unreported, Unreported::Everything));
    assert!(told(&mut unreported, &rooms).1);
}

#[test]
fn a_name_that_is_too_long_is_left_out() {
    let long = "x".repeat(SHORT + 1);
    let rooms = HashMap::from([(long.clone(), 1)]);
    let mut unreported = nothing();
    unreported.note(&long);
    assert_eq!(told(&mut unreported, &rooms), (vec![], false));
    assert_eq!(told(&mut Unreported::Everything, &rooms), (vec![], true));
}

#[test]
fn what_is_not_written_so_is_not_read() {
    for bytes in [
        &b"\0\0\0\x01"[..],
        b"\0\0\0\x01\0",
        b"\0\0\0\x01\0\x02x",
        b"\0\0\0\x01\0\x01\xff",
    ] {
        assert_eq!(RoomCounts::read(bytes), Err(Unreadable));
    }
}
