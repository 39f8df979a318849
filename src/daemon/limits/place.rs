//! Which control group the daemon was given, if it was given one.
//!
//! A group that we may write to is not ours for that: a service manager owns its tree, and says with
//! an attribute what it leaves to others. The top of a container's view was left to the container.

use std::path::{Path, PathBuf};

use procfs::process::{MountInfo, Process};

use super::OWN;
use crate::process::supervisor_above;

/// Set by systemd on what `Delegate=yes` leaves to a service or scope.
const DELEGATED: &str = "user.delegate";

/// Returns the group that was delegated to this process.
///
/// # Errors
///
/// Says why there is none.
pub(super) fn delegated() -> Result<PathBuf, String> {
    let own = Process::myself().map_err(|error| error.to_string())?;
    let mounts = own.mountinfo().map_err(|error| error.to_string())?;
    let mount = mounts.0.into_iter().find(|mount| mount.fs_type == "cgroup2");
    let mount = mount.ok_or("there is no cgroup v2 file system")?;
    let groups = own.cgroups().map_err(|error| error.to_string())?;
    let group = groups.into_iter().find(|group| group.hierarchy == 0);
    let path = group.ok_or("this process is in no group of cgroup v2")?.pathname;
    let dir = directory(&mount, &path);
    // A daemon that was started in a group of its own, by `DelegateSubgroup=` or by its predecessor.
    let dir = match dir.parent() {
        Some(parent) if dir.file_name().is_some_and(|name| name == OWN) => parent.to_owned(),
        _ => dir,
    };
    let shown = dir.display();
    if !dir.join("cgroup.type").exists() {
        return Err(format!("`{shown}` is the whole system's control group"));
    }
    let is_top = dir == mount.mount_point;
    if !is_top && !is_marked(&dir) {
        return Err(format!("the control group `{shown}` was not delegated"));
    }
    Ok(dir)
}

/// The directory of a group: below where the file system is mounted, which may show a part only.
fn directory(mount: &MountInfo, group: &str) -> PathBuf {
    let group = Path::new(group);
    let below = group.strip_prefix(&mount.root).unwrap_or(group);
    // Taken apart and put together: joining nothing leaves a slash at the end.
    mount.mount_point.join(below.strip_prefix("/").unwrap_or(below)).components().collect()
}

fn is_marked(dir: &Path) -> bool {
    let mut value = [0_u8; 8];
    rustix::fs::getxattr(dir, DELEGATED, &mut value)
        .is_ok_and(|length| value.get(..length) == Some(b"1"))
}

/// Whether a process is a supervisor or below one.
pub(super) fn is_ours(pid: u32) -> bool {
    i32::try_from(pid).is_ok_and(|pid| matches!(supervisor_above(pid), Ok(Some(_))))
}
