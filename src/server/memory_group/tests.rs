use super::*;
use std::fs::{create_dir_all, remove_dir_all, write};

#[test]
fn m04_the_least_limit_of_all_groups_counts() {
    let mount = std::env::temp_dir().join(format!("wshub-groups-{}", std::process::id()));
    let limit = |group: &str, file: &str, text: &str| {
        create_dir_all(mount.join(group)).unwrap();
        write(mount.join(group).join(file), text).unwrap();
    };
    // Version 2: the process's own group is not limited, the one above it is.
    limit("app/tool", "memory.max", "max\n");
    limit("app", "memory.max", "268435456\n");
    assert_eq!(allowed_by("0::/app/tool\n", &mount), Some(256 << 20));
    assert_eq!(
        allowed_by("0::/app/tool/../other\n", &mount),
        Some(256 << 20)
    );
    assert_eq!(allowed_by("0::/\n", &mount), None);
    // Version 1, where the mount begins with the container's own group.
    limit("memory", "memory.limit_in_bytes", "134217728\n");
    let first = "3:cpu,memory:/docker/0123\n2:pids:/docker/0123\n";
    assert_eq!(allowed_by(first, &mount), Some(128 << 20));
    assert_eq!(
        allowed_by(&format!("{first}0::/app\n"), &mount),
        Some(128 << 20)
    );
    for nothing in ["", "nonsense", "2:pids:/app\n"] {
        assert_eq!(allowed_by(nothing, &mount), None);
    }
    remove_dir_all(mount).unwrap();
}
