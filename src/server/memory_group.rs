//! How much memory the control groups of this process allow (cgroups(7)), as a container's limit does.

use std::fs::read_to_string;
use std::path::Path;

/// The least of all the groups that it is in, in bytes; `None` where nothing is limited.
pub(crate) fn allowed() -> Option<usize> {
    let groups = read_to_string("/proc/self/cgroup").ok()?;
    allowed_by(&groups, Path::new("/sys/fs/cgroup"))
}

fn allowed_by(groups: &str, mount: &Path) -> Option<usize> {
    let limits = groups.lines().filter_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        match controllers {
            "" => least(mount, path, "memory.max"),
            _ if controllers.split(',').any(|name| name == "memory") => {
                least(&mount.join("memory"), path, "memory.limit_in_bytes")
            }
            _ => None,
        }
    });
    limits.min()
}

/// A group is bound by those above it, too. In a container the mount may begin with its own group,
/// whose path is then not there.
fn least(mount: &Path, path: &str, file: &str) -> Option<usize> {
    let group = mount.join(path.trim_start_matches('/'));
    let folders = group
        .ancestors()
        .take_while(|folder| folder.starts_with(mount));
    let limits = folders.filter_map(|folder| {
        let limit = read_to_string(folder.join(file)).ok()?;
        // `max` is no number: no limit.
        limit.trim().parse().ok()
    });
    limits.min()
}

#[cfg(test)]
mod tests;
