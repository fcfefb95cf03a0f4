use super::*;

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn whoever_is_in_several_rooms_is_selected_once() {
    let mut rooms = Rooms::default();
    for (socket, room) in [(1, "a"), (1, "b"), (2, "b"), (3, "c"), (1, "a")] {
        rooms.join(socket, room, 10).unwrap();
    }
    let selected = rooms.select(&names(&["a", "b", "none"]), &[]);
    assert_eq!(selected.into_iter().collect::<Vec<_>>(), [1, 2]);
    let selected = rooms.select(&names(&["a", "b", "c"]), &names(&["a"]));
    assert_eq!(selected.into_iter().collect::<Vec<_>>(), [2, 3]);
    assert_eq!(rooms.of(1).collect::<Vec<_>>(), ["a", "b"]);
    assert!(rooms.is_in_any(1, &names(&["x", "b"])));
    assert!(!rooms.is_in_any(2, &names(&["a"])));
}

/// As ghosts in another server's rooms showed.
#[test]
fn who_is_gone_is_in_no_room_and_empty_rooms_are_gone() {
    let mut rooms = Rooms::default();
    rooms.join(1, "a", 10).unwrap();
    rooms.join(2, "a", 10).unwrap();
    rooms.join(1, "b", 10).unwrap();
    assert_eq!(rooms.remove(1).len(), 2);
    rooms.leave(2, "a");
    rooms.leave(2, "never");
    rooms.remove(2);
    assert!(rooms.members.is_empty());
    assert!(rooms.joined.is_empty());
}

#[test]
fn rooms_of_one_socket_are_bounded() {
    let mut rooms = Rooms::default();
    rooms.join(1, "a", 1).unwrap();
    assert_eq!(rooms.join(1, "b", 1), Err(NotJoined::TooManyRooms));
    assert_eq!(rooms.join(1, "a", 1), Ok(()), "where it is already");
    assert!(rooms.select(&names(&["b"]), &[]).is_empty());
}

#[test]
fn the_name_of_a_room_is_bounded() {
    let mut rooms = Rooms::default();
    let longest = "x".repeat(LONGEST_NAME);
    let too_long = format!("{longest}x");
    assert_eq!(rooms.join(1, &too_long, 10), Err(NotJoined::NameTooLong));
    assert!(rooms.select(&[too_long], &[]).is_empty());
    assert!(rooms.joined.is_empty());
    assert_eq!(rooms.join(1, &longest, 10), Ok(()));
}
