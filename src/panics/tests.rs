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
