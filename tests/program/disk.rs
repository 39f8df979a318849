//! A disk without room: nothing is started on it, and everything else goes on.

use std::{fs, path::PathBuf, process::Command, time::Duration};

use crate::support::{Say as _, World, wait_until};

/// The size of the disk: more than a launch asks for, and soon full.
const SIZE: &str = "size=40m,mode=0700";

/// A world whose root is a small disk of its own.
struct SmallDisk {
    world: Option<World>,
    root: PathBuf,
}

impl SmallDisk {
    /// Mounts it; `None` where this user may not.
    fn mount() -> Option<Self> {
        let world = World::new();
        let root = world.root();
        fs::create_dir(&root).unwrap();
        let mut mount = Command::new("mount");
        let mounted = mount.args(["-t", "tmpfs", "-o", SIZE, "none"]).arg(&root).output();
        mounted.is_ok_and(|output| output.status.success()).then(|| {
            let disk = Self { world: Some(world), root };
            disk.world().project("p");
            disk
        })
    }

    fn world(&self) -> &World {
        self.world.as_ref().unwrap()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let home = self.root.parent().map(PathBuf::from);
        // First what uses it; of its directory only the mount point is left.
        drop(self.world.take());
        Command::new("umount").arg(&self.root).status().ok();
        home.map(|home| fs::remove_dir_all(home).ok());
    }
}

#[test]
fn a_full_disk_takes_no_runner_and_leaves_the_others_alone() {
    let Some(disk) = SmallDisk::mount() else {
        println!("a disk cannot be mounted here");
        return;
    };
    let world = disk.world();
    let running = world.agent("echo", &[]);
    let ballast = world.root().join("ballast");
    let rest = || rustix::fs::statvfs(world.root()).map(|fs| fs.f_bavail * fs.f_frsize).unwrap();
    fs::write(&ballast, vec![0; usize::try_from(rest()).unwrap() - (2 << 20)]).unwrap();

    let root = world.root();
    let directory = root.to_str().unwrap();
    let words = ["launch", "p", "--", "sleep", "60"];
    world.run(words).expect_error(6, &["no room in", directory, "df -h"]);
    world.run(["restart", &running.name]).expect_error(6, &["no room in", directory]);
    // What was refused has left nothing behind, and what ran was not ended for it.
    assert_eq!(world.runners().len(), 1);
    assert_eq!(world.show(&running.name).number("run"), Some(1));
    let full = fs::write(root.join("rest"), vec![0; usize::try_from(rest()).unwrap()]);
    full.unwrap();
    assert_eq!(rest(), 0);
    world.run(["runners", "list"]).expect_code(0);

    fs::remove_file(root.join("rest")).unwrap();
    fs::remove_file(&ballast).unwrap();
    wait_until("a runner is started again", Duration::from_secs(5), || world.run(words).code == 0);
    world.run(["kill", &running.name]).expect_code(0);
    assert_eq!(world.show(&running.name).text("status"), "terminated");
}
