//! What `platen check` looks at on this machine: the agent, the disk, ping.

use std::time::Duration;

use actors::reach::icmp;
use jiff::Timestamp;
use nix::sys::statvfs::statvfs;

use super::finding::{Area, Cause, Finding, Trouble};
use crate::config::AgentConfig;
use crate::control::{self, Status};

/// The spool may take 256 MiB, and everything else of the agent little.
const ROOM_BYTES: u64 = 300 * 1024 * 1024;
/// Less than this, and nothing can be written soon.
const ROOM_BYTES_MIN: u64 = 20 * 1024 * 1024;
/// How far a clock may be off: HTTP tells whole seconds, and certificates begin some minutes early.
pub(super) const CLOCK_OFF_MAX: Duration = Duration::from_secs(60);

/// The running agent and its queue.
pub(super) async fn agent(config: &AgentConfig) -> Finding {
    match control::status(&config.state_dir).await {
        Ok(status) => {
            let what = format!("runs, queue {}", status.snapshot.queue.waiting);
            let uplink = status.snapshot.hub.as_ref();
            match uplink.and_then(|hub| hub.uplink.trouble.clone()) {
                None => Finding::fine(Area::Agent, name(&status), what),
                Some(trouble) => Finding::fine(
                    Area::Agent,
                    name(&status),
                    format!("{what}; it says of the hub: {trouble}"),
                ),
            }
        }
        Err(error) => Finding::warning(
            Area::Agent,
            config.state_dir.display().to_string(),
            Trouble::new(
                Cause::NotRunning,
                error.to_string(),
                "what is checked here does not need it, but nothing is read without it",
                "start it: platen run; or check as its user",
            ),
        ),
    }
}

fn name(status: &Status) -> String {
    status.about.name.clone()
}

/// Room on the disk of the state folder.
pub(super) fn disk(config: &AgentConfig) -> Finding {
    let subject = config.state_dir.display().to_string();
    let free = match statvfs(&config.state_dir) {
        Ok(disk) => disk.blocks_available().saturating_mul(disk.fragment_size()),
        Err(error) => {
            let trouble = Trouble::new(
                Cause::NotPermitted,
                format!("the state folder cannot be looked at: {error}"),
                "reports and the key are kept there",
                "set state_dir to a folder of the agent's own user; check as that user",
            );
            return Finding::failed(Area::Disk, subject, trouble);
        }
    };
    let what = format!("{} MB free", free / 1_000_000);
    let trouble = Trouble::new(
        Cause::DiskFull,
        what.clone(),
        "while the hub is away, up to 256 MiB of reports wait there",
        "make room on that disk",
    );
    match free {
        ..ROOM_BYTES_MIN => Finding::failed(Area::Disk, subject, trouble),
        ROOM_BYTES_MIN..ROOM_BYTES => Finding::warning(Area::Disk, subject, trouble),
        ROOM_BYTES.. => Finding::fine(Area::Disk, subject, what),
    }
}

/// Whether this user may ping.
pub(super) fn icmp() -> Finding {
    match icmp::probe() {
        Ok(()) => Finding::fine(Area::Icmp, "ping", "unprivileged"),
        Err(error) => Finding::warning(
            Area::Icmp,
            "ping",
            Trouble::new(
                Cause::NotPermitted,
                format!("this user may not ping: {error}"),
                "the hub's command `ping` will be refused; nothing else needs it",
                "sysctl net.ipv4.ping_group_range=\"0 2147483647\", or leave it",
            ),
        ),
    }
}

/// This machine's clock beside the hub's.
pub(super) fn clock(theirs: Option<(Timestamp, Timestamp)>) -> Finding {
    let Some((ours, theirs)) = theirs else {
        return Finding::skipped(Area::Clock, "", "the hub did not tell its time");
    };
    let off = ours.duration_since(theirs);
    let secs = off.as_secs();
    if off.unsigned_abs() <= CLOCK_OFF_MAX {
        return Finding::fine(Area::Clock, "", format!("{secs:+} s beside the hub's"));
    }
    let trouble = Trouble::new(
        Cause::Clock,
        format!("{secs:+} s beside the hub's, which says {theirs}"),
        "certificates are judged and readings are dated by this clock",
        "set it, and let it be kept: timedatectl set-ntp true",
    );
    Finding::failed(Area::Clock, "", trouble)
}
