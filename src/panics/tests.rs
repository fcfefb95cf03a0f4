use super::*;

/// Panics as often as it is dropped, with one that has one time less.
struct Thorny(usize);

impl Drop for Thorny {
    fn drop(&mut self) {
        if self.0 > 0 {
            std::panic::panic_any(Thorny(self.0 - 1));
        }
    }
}

#[test]
fn b12_a_payload_that_panics_in_its_destructor_ends_there() {
    for thorns in 0..4 {
        let caught = catch(|| std::panic::panic_any(Thorny(thorns)));
        assert_eq!(
            caught.map_err(|it| it.message().to_owned()),
            Err::<(), _>("no message".to_owned())
        );
    }
}

#[test]
fn what_a_panic_says_is_told() {
    let says = |work: fn()| {
        catch(work)
            .map_err(|it| it.message().to_owned())
            .unwrap_err()
    };
    assert_eq!(says(|| panic!("plain")), "plain");
    assert_eq!(says(|| panic!("with {}", 1)), "with 1");
}

#[test]
fn work_that_panics_is_told_of_and_goes_on_from_where_it_was() {
    let (mut tries, mut told) = (0, Vec::new());
    let work = || {
        tries += 1;
        assert!(tries == 3, "try {tries}");
    };
    work_on(work, |message| {
        told.push(message.to_owned());
        true
    });
    assert_eq!(told, ["try 1", "try 2"]);
}

#[test]
fn work_that_is_wanted_no_more_is_not_tried_again() {
    let mut tries = 0;
    let work = || {
        tries += 1;
        panic!("as a bug does");
    };
    let mut told = 0;
    work_on(work, |_| {
        told += 1;
        told < 2
    });
    assert_eq!((tries, told), (2, 2));
}

#[test]
fn a_log_gets_an_excerpt_of_what_a_panic_says() {
    let text = format!("begin <= end when slicing `\r\nGET {}`", "x".repeat(256));
    let mut told = Vec::new();
    work_on(
        || std::panic::panic_any(text.clone()),
        |message| {
            told.push(message.to_owned());
            false
        },
    );
    assert_eq!(told, [excerpt(text.as_bytes())]);
    assert!(!told[0].contains('\n'), "{told:?}");
    assert!(told[0].len() < 100, "{told:?}");
}
