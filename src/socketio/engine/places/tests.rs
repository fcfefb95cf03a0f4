use super::*;

#[test]
fn as_many_places_are_taken_as_there_are_and_given_back() {
    let (one, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
    for most in [0, 1, 2] {
        let places = SessionPlaces::new(3, Some(most));
        let taken: Vec<_> = (0..most).map(|_| places.take(Some(one)).unwrap()).collect();
        let refused = places.take(Some(one)).err();
        assert_eq!(refused, Some(NoSession::TooManyOfAddress), "{most}");
        assert_eq!(places.has_room_for(Some(one)), refused.map_or(Ok(()), Err));
        // The peer of a Unix socket has no address.
        assert!(places.take(None).is_ok());
        assert_eq!(places.take(Some(other)).is_ok(), most > 0);
        drop(taken);
        assert_eq!(places.take(Some(one)).is_ok(), most > 0);
    }
    let places = SessionPlaces::new(1, None);
    let taken = places.take(Some(one));
    assert_eq!(places.take(None).err(), Some(NoSession::TooMany));
    drop(taken);
    assert!(places.take(None).is_ok());
}
