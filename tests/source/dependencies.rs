//! What wshub is made of: no package, or version of one, with an advisory.

/// crossbeam-channel 0.5.12 to 0.5.14 free twice on drop; RUSTSEC-2020-0052 and -2022-0019 are older.
#[test]
fn rustsec_2025_0024_crossbeam_channel_is_one_that_was_mended() {
    let lock = include_str!("../../Cargo.lock");
    let (_, rest) = lock
        .split_once("name = \"crossbeam-channel\"\nversion = \"")
        .unwrap();
    let (version, _) = rest.split_once('"').unwrap();
    let version: Vec<u32> = version
        .split('.')
        .map(|part| part.parse().unwrap())
        .collect();
    assert!(version >= vec![0, 5, 15], "{version:?}");
    let manifest = include_str!("../../Cargo.toml");
    assert!(
        manifest.contains("crossbeam-channel = \"0.5.15\""),
        "nobody builds with less"
    );
}

/// Packages with an advisory of their own that have no place here: `safe-agent-rs` is malicious
/// (RUSTSEC-2026-0101), the others are named in the advisories of `tests/api`.
#[test]
fn rustsec_2026_0101_nothing_with_an_advisory_is_built_in() {
    let lock = include_str!("../../Cargo.lock");
    for name in [
        "safe-agent-rs",
        "tungstenite",
        "websocket",
        "ws",
        "tiny_http",
        "hyper",
        "h2",
    ] {
        assert!(!lock.contains(&format!("name = \"{name}\"\n")), "{name}");
    }
}
