//! The gateway and OpenSSH's own programs: an agent's key gets one port forwarded, a person's key
//! reaches that person's sessions, and nothing else is had by anybody.

#[path = "gateway/carrier.rs"]
mod carrier;
#[path = "gateway/ends.rs"]
mod ends;
#[path = "gateway/refusals.rs"]
mod refusals;
#[path = "gateway/site.rs"]
mod site;
#[path = "gateway/sshd.rs"]
mod sshd;
#[path = "gateway/tls.rs"]
mod tls;
#[path = "gateway/ways.rs"]
mod ways;
#[path = "gateway/words.rs"]
mod words;
