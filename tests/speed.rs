//! How fast and how small device web access is, and what readings notice of it, and of printers that
//! misbehave. No test of these runs by itself: scripts/bench/tunnel and scripts/bench/neighbors run
//! them, on a machine that does nothing else.
//!
//! The agent, the simulator and sshd are programs. So is the hub where its memory is measured;
//! elsewhere it runs within the bench, which then stands where the hub's own web door stands.

#[cfg(test)]
#[path = "speed/crowd.rs"]
mod crowd;
#[cfg(test)]
#[path = "speed/figures.rs"]
mod figures;
#[cfg(test)]
#[path = "speed/neighbors.rs"]
mod neighbors;
#[cfg(test)]
#[path = "speed/openssh.rs"]
mod openssh;
#[cfg(test)]
#[path = "speed/pairs.rs"]
mod pairs;
#[cfg(test)]
#[path = "web_access/person.rs"]
#[expect(dead_code, reason = "the stories of pages use the rest")]
mod person;
#[cfg(test)]
#[path = "speed/readings.rs"]
mod readings;
#[cfg(test)]
#[path = "speed/rig.rs"]
mod rig;
