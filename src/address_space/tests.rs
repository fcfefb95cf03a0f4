use super::*;

#[test]
fn the_size_of_the_process_is_what_the_system_says() {
    // In pages of 4 KiB or more; other tests run beside.
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = statm.split(' ').next().unwrap().parse().unwrap();
    let used = used().unwrap();
    let ratio = used as f64 / pages as f64;
    assert!(
        used % 4096 == 0 && (3_000.0..80_000.0).contains(&ratio),
        "{used} {pages}"
    );
}

#[test]
fn without_a_limit_there_is_room() {
    if left().is_none() {
        assert!(has_room_for_thread(1 << 40, 1) && left_for_connections().is_none());
    }
}
