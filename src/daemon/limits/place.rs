//! Which control group the daemon was given, if it was given one.
//!
//! A group that we may write to is not ours for that: a service manager owns its tree. What it leaves to
//! others it marks with an attribute, though not a user's own manager; and one that starts the daemon in a
//! group of its own (`DelegateSubgroup=`, systemd 254) has left the group above to it. The top of a
//! container's view was left to the container.
//!
//! Invariant: no service is taken that its manager starts in the group itself. Once groups with limits are
//! below it that group may hold no process, and the manager could never start the daemon again (seen with
//! systemd 252: status 219/CGROUP).

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
    let offered = std::fs::read_to_string(mount.mount_point.join("cgroup.controllers"));
    if offered
        .is_ok_and(|names| !names.split_whitespace().any(|name| matches!(name, "memory" | "cpu")))
    {
        return Err("memory and cpu are not in cgroup v2 here (the kernel boots so with \
                    systemd.unified_cgroup_hierarchy=1)"
            .to_owned());
    }
    let groups = own.cgroups().map_err(|error| error.to_string())?;
    let group = groups.into_iter().find(|group| group.hierarchy == 0);
    let path = group.ok_or("this process is in no group of cgroup v2")?.pathname;
    let dir = directory(&mount, &path);
    // By its manager, or by a predecessor in a container.
    let was_started_below = dir.file_name().is_some_and(|name| name == OWN);
    let dir = if was_started_below { dir.parent().unwrap_or(&dir).to_owned() } else { dir };
    let shown = dir.display();
    if !dir.join("cgroup.type").exists() {
        return Err(format!("`{shown}` is the whole system's control group"));
    }
    let is_top = dir == mount.mount_point;
    // A scope is not started again.
    let is_scope = dir.extension().is_some_and(|kind| kind == "scope") && is_marked(&dir);
    if is_top || is_scope || was_started_below {
        return Ok(dir);
    }
    Err(format!(
        "the daemon was started in the control group `{shown}` itself and not in one below it \
         (systemd 254 or newer does that, with Delegate=memory cpu and DelegateSubgroup={OWN})"
    ))
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
