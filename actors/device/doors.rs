//! The doors beside SNMP of one printer: when each is asked, and what it last said.
//!
//! A door is asked at full readings only, after SNMP has said that a printer stands there: for LEDM
//! one of HP's, for SGD a Zebra, for PJL one that lists it. Asking wakes printers, so a door that fails is left alone for longer each time.
//! Nothing that goes wrong here is a failure of the reading: it is said in words.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use printer::identity::{DeviceId, Fingerprint};
use printer::ledm::is_spoken_by;
use printer::profile::Profiles;
use printer::reading::Reading;
use printer::second_source::{self, Second};
use tokio::time::{Instant, timeout};
use tracing::{info, warn};

use crate::certificates::{self, Kept};
use crate::parts::OtherDoors;
use crate::reach::credential::Credential;
use crate::reach::http::{HttpError, Thumbprint};
use crate::reach::identified::{self, Asking, NotIdentified};
use crate::reach::ledm::LedmReadError;
use crate::reach::scope::InScope;
use crate::reach::snmp::Snmp;
use crate::reach::{ipp, ledm, pjl, zebra};

/// How long a door that failed is left alone, the first time: as long as the usual time between two
/// full readings, so that one failure costs nothing.
const PAUSE_FIRST: Duration = Duration::from_secs(3_600);
/// Longest that it is left alone: a door that is mended is found within a day.
const PAUSE_MAX: Duration = Duration::from_secs(24 * 3_600);
/// Failures after which a pause is the longest anyway.
const DOUBLINGS_MAX: u32 = 5;
/// How long one door may take, connections and tries included. With a reading over SNMP before it
/// this is well within the deadline of a reading.
const DOOR_TIMEOUT: Duration = Duration::from_secs(45);

/// What the profiles call Zebra.
const ZEBRA: &str = "Zebra";

/// What is remembered of one door.
#[derive(Debug, Default)]
struct Door {
    failures: u32,
    /// It is left alone until then.
    rests_until: Option<Instant>,
    /// What it last said.
    said: Option<Box<Second>>,
    trouble: Option<String>,
}

/// What is remembered of all of them: no room is taken until one was asked, since most devices have
/// none.
#[derive(Debug, Default)]
pub(super) struct Doors(Option<Box<Remembered>>);

#[derive(Debug, Default)]
struct Remembered {
    ipp: Door,
    ledm: Door,
    zebra: Door,
    pjl: Door,
    /// The certificate that was shown first, where there is no disk to keep it.
    certificate: Option<Thumbprint>,
}

/// What one door said: a reading, or what is wrong in words.
pub(super) type Said = Result<Reading, String>;

/// What came of asking; none of a door that was not asked.
#[derive(Debug, Default)]
pub(super) struct Answers {
    ipp: Option<Said>,
    ledm: Option<Said>,
    zebra: Option<Said>,
    pjl: Option<Said>,
    certificate: Option<Thumbprint>,
}

/// How SNMP was asked a moment ago: it is asked again before an octet goes to a raw port or over IPP.
#[derive(Debug, Clone)]
pub(super) struct Way {
    pub(super) snmp: Snmp,
    pub(super) target: InScope,
    pub(super) credential: Credential,
    pub(super) profiles: Arc<Profiles>,
    pub(super) wanted: Fingerprint,
}

impl Way {
    fn asking(&self) -> Asking<'_> {
        Asking {
            snmp: &self.snmp,
            target: &self.target,
            credentials: std::slice::from_ref(&self.credential),
            profiles: &self.profiles,
            wanted: Some(&self.wanted),
        }
    }
}

/// Whom to ask at a full reading.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    ipp: Option<InScope>,
    ledm: Option<InScope>,
    zebra: Option<InScope>,
    pjl: Option<InScope>,
    device: DeviceId,
    certificate: Option<Thumbprint>,
    folder: Option<PathBuf>,
}

impl Door {
    fn is_due(&self, now: Instant) -> bool {
        self.rests_until.is_none_or(|until| now >= until)
    }

    fn note(&mut self, name: &'static str, said: Said, now: Instant) {
        match said {
            Ok(reading) => {
                self.failures = 0;
                self.rests_until = None;
                self.trouble = None;
                self.said = Some(Box::new(Second {
                    door: name,
                    reading,
                    is_fresh: true,
                }));
            }
            Err(why) => {
                self.rests_until = Some(now + pause(self.failures));
                self.failures = self.failures.saturating_add(1);
                self.trouble = Some(why);
                self.age();
            }
        }
    }

    /// What was said is no longer of now.
    fn age(&mut self) {
        if let Some(said) = &mut self.said {
            said.is_fresh = false;
        }
    }
}

/// How long a door rests after so many failures before this one.
fn pause(failures: u32) -> Duration {
    let doubled = PAUSE_FIRST.saturating_mul(1 << failures.min(DOUBLINGS_MAX));
    doubled.min(PAUSE_MAX)
}

impl Doors {
    /// Whom to ask at a full reading that begins now.
    pub(super) fn plan(
        &self,
        open: OtherDoors,
        device: &DeviceId,
        folder: Option<PathBuf>,
    ) -> Plan {
        let now = Instant::now();
        let of = |door: fn(&Remembered) -> &Door, target: Option<InScope>| {
            let is_due = |known: &Remembered| door(known).is_due(now);
            target.filter(|_| self.0.as_deref().is_none_or(is_due))
        };
        Plan {
            ipp: of(|known| &known.ipp, open.ipp),
            ledm: of(|known| &known.ledm, open.ledm),
            zebra: of(|known| &known.zebra, open.zebra),
            pjl: of(|known| &known.pjl, open.pjl),
            device: device.clone(),
            certificate: self.0.as_ref().and_then(|known| known.certificate),
            folder,
        }
    }

    /// Takes what came of asking, none at a reading of what moves, and adds to the reading what the
    /// doors said at the last full one. Says what is wrong, if anything is.
    pub(super) fn take(
        &mut self,
        answers: Option<Box<Answers>>,
        reading: &mut Reading,
    ) -> Option<String> {
        if let Some(answers) = answers {
            self.note(*answers);
        }
        self.add_to(reading)
    }

    /// Notes what came of a full reading. A door that was left alone says nothing of now either.
    fn note(&mut self, answers: Answers) {
        if self.0.is_none() && answers.is_empty() {
            return;
        }
        let now = Instant::now();
        let known = self.0.get_or_insert_default();
        known.certificate = known.certificate.or(answers.certificate);
        let doors = [
            (&mut known.ipp, "ipp", answers.ipp),
            (&mut known.ledm, "ledm", answers.ledm),
            (&mut known.zebra, "zebra", answers.zebra),
            (&mut known.pjl, "pjl", answers.pjl),
        ];
        for (door, name, said) in doors {
            match said {
                Some(said) => door.note(name, said, now),
                None => door.age(),
            }
        }
    }

    /// Adds to a reading what the doors said.
    pub(super) fn add_to(&self, reading: &mut Reading) -> Option<String> {
        let known = self.0.as_ref()?;
        let mut troubles = Vec::new();
        for door in [&known.ipp, &known.ledm, &known.zebra, &known.pjl] {
            troubles.extend(door.trouble.clone());
            let Some(said) = &door.said else { continue };
            if let Err(another) = second_source::add(reading, said) {
                troubles.push(another.to_string());
            }
        }
        (!troubles.is_empty()).then(|| troubles.join("; "))
    }

    /// The device lives elsewhere: what was said at its old address is forgotten.
    pub(super) fn forget(&mut self) {
        if let Some(known) = &mut self.0 {
            **known = Remembered {
                certificate: known.certificate,
                ..Remembered::default()
            };
        }
    }
}

impl Answers {
    /// Whether no door said anything.
    fn is_empty(&self) -> bool {
        let said = [&self.ipp, &self.ledm, &self.zebra, &self.pjl];
        self.certificate.is_none() && said.iter().all(|said| said.is_none())
    }
}

impl Plan {
    /// Asks every door that is due, side by side. `reading` is what SNMP said.
    pub(super) async fn ask(self, reading: &Reading, way: &Way) -> Answers {
        let is_zebra = reading.identity.vendor.as_deref() == Some(ZEBRA);
        let ledm = self.ledm.filter(|_| is_spoken_by(&reading.identity));
        let ipp = read_ipp(way, self.ipp);
        let ledm = async {
            let target = ledm?;
            let read = timeout(DOOR_TIMEOUT, self.read_ledm(&target)).await;
            Some(read.unwrap_or_else(|_| Err(slow("LEDM", target.addr().ip()))))
        };
        let zebra = read_zebra(way, self.zebra.filter(|_| is_zebra));
        let pjl = read_pjl(way, self.pjl.filter(|_| !is_zebra));
        let (ipp, ledm, zebra, pjl) = tokio::join!(ipp, ledm, zebra, pjl);
        let mut answers = Answers {
            ipp,
            zebra,
            pjl,
            ..Answers::default()
        };
        match ledm {
            Some(Ok((reading, certificate))) => {
                answers.ledm = Some(Ok(reading));
                answers.certificate = certificate;
            }
            Some(Err(why)) => answers.ledm = Some(Err(why)),
            None => {}
        }
        let doors = [
            ("IPP", &answers.ipp),
            ("LEDM", &answers.ledm),
            ("SGD", &answers.zebra),
            ("PJL", &answers.pjl),
        ];
        for (door, said) in doors {
            if let Some(Err(why)) = said {
                warn!(device = %self.device, door, %why, "another door does not answer");
            }
        }
        answers
    }

    async fn read_ledm(&self, target: &InScope) -> Result<(Reading, Option<Thumbprint>), String> {
        let address = target.addr().ip();
        let known = match self.certificate {
            None if ledm::is_tls(target.addr().port()) => self.known().await?,
            known => known,
        };
        let read = ledm::read_device(target, known).await;
        let read = read.map_err(|error| unread(&error, address))?;
        if let (None, Some(sha256)) = (known, read.certificate) {
            self.keep(address, sha256).await?;
        }
        // On disk it is where a person can forget it.
        let certificate = read.certificate.filter(|_| self.folder.is_none());
        Ok((read.reading, certificate))
    }

    /// The certificate on disk.
    async fn known(&self) -> Result<Option<Thumbprint>, String> {
        let Some(folder) = self.folder.clone() else {
            return Ok(None);
        };
        let device = self.device.clone();
        let kept = on_disk(move || certificates::of(&folder, &device)).await;
        let kept = kept.map_err(|why| format!("its certificate cannot be read: {why}"))?;
        Ok(kept.map(|kept| kept.sha256))
    }

    async fn keep(&self, address: IpAddr, sha256: Thumbprint) -> Result<(), String> {
        let Some(folder) = self.folder.clone() else {
            return Ok(());
        };
        let kept = Kept {
            device: self.device.clone(),
            address,
            sha256,
            since: Timestamp::now(),
        };
        info!(device = %self.device, %sha256, "its certificate is believed from now on");
        let written = on_disk(move || certificates::keep(&folder, &kept)).await;
        written.map_err(|why| format!("its certificate cannot be kept: {why}"))
    }
}

/// Reads a printer over IPP.
async fn read_ipp(way: &Way, door: Option<InScope>) -> Option<Said> {
    let door = door?;
    let read = async {
        let proof = identified::printer(way.asking(), door).await;
        let proof = proof.map_err(|error| error.to_string())?;
        let read = ipp::read_device(ipp::Asked::Printer(&proof)).await;
        read.map_err(|error| error.to_string())
    };
    let read = timeout(DOOR_TIMEOUT, read).await;
    Some(read.unwrap_or_else(|_| Err(slow("IPP", door.addr().ip()))))
}

/// Reads a Zebra by its raw port.
async fn read_zebra(way: &Way, door: Option<InScope>) -> Option<Said> {
    let door = door?;
    let read = async {
        let proof = identified::zebra(way.asking(), door).await;
        let proof = proof.map_err(|error| error.to_string())?;
        let read = zebra::read_device(&proof).await;
        read.map_err(|error| error.to_string())
    };
    let read = timeout(DOOR_TIMEOUT, read).await;
    Some(read.unwrap_or_else(|_| Err(slow("SGD", door.addr().ip()))))
}

/// Reads a printer over PJL; one that does not list it is not asked, which is no trouble.
async fn read_pjl(way: &Way, door: Option<InScope>) -> Option<Said> {
    let door = door?;
    let read = async {
        let proof = match identified::pjl(way.asking(), door).await {
            Ok(proof) => proof,
            Err(NotIdentified::NoPjl) => return None,
            Err(error) => return Some(Err(error.to_string())),
        };
        let read = pjl::read_device(&proof).await;
        Some(read.map_err(|error| error.to_string()))
    };
    let read = timeout(DOOR_TIMEOUT, read).await;
    read.unwrap_or_else(|_| Some(Err(slow("PJL", door.addr().ip()))))
}

/// Disk goes to a thread that may wait.
async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, String> {
    let done = tokio::task::spawn_blocking(work).await;
    let done = done.map_err(|error| error.to_string())?;
    done.map_err(|error| error.to_string())
}

fn unread(error: &LedmReadError, address: IpAddr) -> String {
    match error {
        LedmReadError::Http(HttpError::Changed { .. }) => format!(
            "{error}; if the printer was reset, forget the old one: platen forget-certificate \
             {address}"
        ),
        LedmReadError::WantsTls(_) => format!("{error}: open its port of HTTPS, ledm = 443"),
        LedmReadError::Http(_)
        | LedmReadError::Slow(_)
        | LedmReadError::NotServed(_)
        | LedmReadError::Status { .. }
        | LedmReadError::Redirect { .. }
        | LedmReadError::Ledm { .. } => error.to_string(),
    }
}

fn slow(door: &str, address: IpAddr) -> String {
    let secs = DOOR_TIMEOUT.as_secs();
    format!("{address} did not answer over {door} in {secs} s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_that_fails_rests_twice_as_long_each_time_and_never_over_a_day() {
        let now = Instant::now();
        let mut door = Door::default();
        let hours: Vec<u64> = (0..8)
            .map(|_| {
                door.note("ledm", Err("away".to_owned()), now);
                (door.rests_until.unwrap() - now).as_secs() / 3_600
            })
            .collect();
        assert_eq!(hours, [1, 2, 4, 8, 16, 24, 24, 24]);
        assert!(!door.is_due(now + Duration::from_secs(23 * 3_600)));
        assert!(door.is_due(now + PAUSE_MAX));
        assert_eq!(door.trouble.as_deref(), Some("away"));
    }
}
