//! The hub's disk is full: a session that is open ends, no other opens, both say why; with room
//! again, one opens.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use stories::{PATIENCE, World, until};

use crate::person::{self, PAGE, Person, device};

const FLEET: &str = "seed = 75\nfrozen = true\n[[printers]]\nrecording = \"kyocera-taskalfa-4054ci\"\n\
    addresses = \"127.74.9.1\"\nweb = { page = \"log\", port = 8000 }\n";

/// How long the session that is open may go on.
const OVER: Duration = Duration::from_secs(30);

/// A small file system in memory, where nothing is yet; unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` where nobody may mount one.
    fn mount(at: PathBuf) -> Option<Self> {
        std::fs::create_dir_all(&at).expect("a folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=16m,mode=700", "tmpfs"])
            .arg(&at)
            .output();
        let is_mounted = mounted.is_ok_and(|mounted| mounted.status.success());
        is_mounted.then_some(Self(at))
    }

    fn filling(&self) -> PathBuf {
        self.0.join("filling")
    }

    /// Leaves no octet free.
    fn fill(&self) {
        let filled = Command::new("dd")
            .args(["if=/dev/zero", "bs=512", "oflag=append"])
            .args(["conv=notrunc", "status=none"])
            .arg(format!("of={}", self.filling().display()))
            .output()
            .expect("dd");
        assert!(!filled.status.success(), "the disk has no end");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_opens_no_session_and_says_why() {
    let mut world = World::new();
    let Some(disk) = SmallDisk::mount(world.path("hub")) else {
        println!("NOT TRIED HERE: this user mounts no file system");
        return;
    };
    let rack = stories::rack(FLEET);
    world.hub_runs().await;
    let site = person::open_site(&world);
    person::settles(&mut world, &rack, "127.74.9.1-4", (1, &site)).await;
    let person = Person::enters(&world, "a.martin");
    let device = device(&world, "127.74.9.1");
    let session = person.opens(&device, PAGE).expect("a session");
    assert_eq!(person.goes_in(&session).status, 200);

    // What the store has set aside is used up by and by.
    let refused = until("a session is refused", PATIENCE, || async {
        disk.fill();
        person.opens(&device, PAGE).err()
    })
    .await;
    assert!(refused.contains("disk"), "{refused}");
    assert!(refused.contains("full"), "{refused}");
    until("the one that was open shows nothing more", OVER, || async {
        disk.fill();
        let shown = person.looks(&session, "/", &[]);
        (shown.status != 200).then_some(())
    })
    .await;

    std::fs::remove_file(disk.filling()).expect("there is room again");
    until("one opens", PATIENCE, || async {
        let session = person.opens(&device, PAGE).ok()?;
        (person.goes_in(&session).status == 200).then_some(())
    })
    .await;
    let verified = world.hub_says(&["audit", "verify"]);
    assert!(verified.status.success(), "{verified:?}");
    drop(world);
}
