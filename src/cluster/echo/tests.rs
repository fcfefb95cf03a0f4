use super::*;

const PATIENCE: Duration = Duration::from_secs(4);

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn attached() -> OwnEcho {
    let mut echo = OwnEcho::default();
    echo.attached(at(10), Some(at(9)));
    echo
}

#[test]
fn who_publishes_nothing_is_not_deaf() {
    let mut echo = OwnEcho::default();
    assert!(!echo.is_deaf(at(100), None, PATIENCE));
    // Nor with what was published before it attached.
    assert!(!attached().is_deaf(at(100), Some(at(9)), PATIENCE));
}

#[test]
fn who_hears_nothing_at_all_is_deaf_after_its_patience() {
    let mut echo = attached();
    assert!(!echo.is_deaf(at(11), Some(at(11)), PATIENCE));
    assert!(!echo.is_deaf(at(15), Some(at(13)), PATIENCE));
    assert!(echo.is_deaf(at(16), Some(at(13)), PATIENCE));
}

#[test]
fn who_hears_others_may_be_behind_them_for_longer() {
    let mut echo = attached();
    for now in 11..=23 {
        echo.heard(at(now));
        assert!(!echo.is_deaf(at(now), Some(at(11)), PATIENCE), "{now}");
    }
    echo.heard(at(24));
    assert!(echo.is_deaf(at(24), Some(at(11)), PATIENCE));
}

#[test]
fn who_hears_itself_is_not_deaf() {
    let mut echo = attached();
    for now in 11..100 {
        echo.came_back(at(now));
        assert!(!echo.is_deaf(at(now), Some(at(now)), PATIENCE), "{now}");
        assert!(!echo.is_deaf(at(now), Some(at(now + 1)), PATIENCE), "{now}");
    }
}
