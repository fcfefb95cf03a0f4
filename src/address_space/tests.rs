use super::*;

#[cfg(target_os = "linux")]
#[test]
fn the_size_of_the_process_is_what_the_system_says() {
    let pages = || -> usize {
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
        statm.split(' ').next().unwrap().parse().unwrap()
    };
    // Tests beside it take and give back memory: only a reading between two that agree counts.
    let (pages, used) = std::iter::repeat_with(|| (pages(), used().unwrap(), pages()))
        .take(10_000)
        .find_map(|(before, used, after)| (before == after).then_some((before, used)))
        .unwrap();
    // In pages of 4 KiB or more.
    let ratio = used as f64 / pages as f64;
    assert!(
        used % 4096 == 0 && (4_000.0..80_000.0).contains(&ratio),
        "{used} {pages}"
    );
}

#[test]
fn without_a_limit_there_is_room() {
    if left().is_none() {
        assert!(has_room_for_thread(usize::MAX / 4, 1) && left_for_connections().is_none());
    }
}
