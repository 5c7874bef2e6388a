//! How a sweep treats addresses on the machine's own links, so that the kernel's table of
//! neighbors never overflows and loses packets in silence.
//!
//! Few addresses need nothing. Many are asked by ARP first, past the table, where that is
//! permitted; or else at a pace that the table bears.

use std::collections::HashSet;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use super::arp::Arp;
use super::link::{self, Attached, OwnLink};
use super::pace::Pace;
use super::scope::{Door, InScope, Scope};

/// How long answers to the last ARP requests are waited for. The kernel itself waits a second
/// (`retrans_time_ms`); what sleeps on a wire answers within milliseconds.
const ARP_WAIT: Duration = Duration::from_millis(500);

/// How often an address is asked for by ARP: a lost frame may not hide a printer, and the kernel
/// asks thrice (`mcast_solicit`).
const ARP_TRIES: u32 = 2;

/// What is known of the own links, for one sweep.
#[derive(Debug, Default)]
pub(super) struct Own {
    attached: Vec<Attached>,
    /// Who answered ARP; none where it was not asked.
    owners: Option<HashSet<IpAddr>>,
    /// The pace for new addresses, where the table does not bear them all.
    slow: Option<Pace>,
    told: Option<OwnLink>,
    /// Whether anybody on the own links is asked.
    is_asked: bool,
    fulls_before: u64,
}

impl Own {
    /// Finds out what is attached, and who is there, at the pace of all.
    pub(super) async fn prepare(scope: &Scope, door: Door, pace: &Pace) -> Self {
        let mut own = Self {
            attached: link::attached(),
            fulls_before: link::table_fulls(),
            ..Self::default()
        };
        let table = link::table();
        let addresses = scope.addresses().filter(|it| own.is_attached(*it)).count();
        let addresses = u64::try_from(addresses).unwrap_or(u64::MAX);
        own.is_asked = addresses > 0;
        if addresses <= link::room(table) {
            return own;
        }
        if let Ok(owners) = own.ask_by_arp(scope, door, pace).await {
            let v6 = |address: &IpAddr| address.is_ipv6() && own.is_attached(*address);
            let others = scope.addresses().filter(v6).count();
            let owned = u64::try_from(owners.len()).unwrap_or(u64::MAX);
            let entries = u64::try_from(owners.len() + others).unwrap_or(u64::MAX);
            own.slow =
                (entries > link::room(table)).then(|| Pace::new(link::owned_per_second(table)));
            own.told = Some(OwnLink::Arp { addresses, owned });
            own.owners = Some(owners);
        } else {
            let per_second = link::new_per_second(table);
            own.slow = Some(Pace::new(per_second));
            own.told = Some(OwnLink::Paced {
                addresses,
                per_second,
                table,
            });
        }
        own
    }

    /// What is done, for whoever is to know.
    pub(super) fn told(&self) -> Option<OwnLink> {
        self.told
    }

    /// Whether it makes sense to ask there: not where nobody has the address.
    pub(super) fn is_worth(&self, address: IpAddr) -> bool {
        match &self.owners {
            Some(owners) if address.is_ipv4() && self.is_attached(address) => {
                owners.contains(&address)
            }
            Some(_) | None => true,
        }
    }

    /// The pace at which this address is asked, where it has one of its own.
    pub(super) fn pace(&self, address: IpAddr) -> Option<&Pace> {
        self.slow.as_ref().filter(|_| self.is_attached(address))
    }

    /// The pace of addresses that have one of their own.
    pub(super) fn slow(&self) -> Option<&Pace> {
        self.slow.as_ref()
    }

    /// How often the kernel dropped a packet since its table was full.
    pub(super) fn overflows(&self) -> u64 {
        match self.is_asked {
            true => link::table_fulls().saturating_sub(self.fulls_before),
            false => 0,
        }
    }

    fn is_attached(&self, address: IpAddr) -> bool {
        self.attached.iter().any(|it| it.span.contains(address))
    }

    /// Asks everybody in scope by ARP; an error where that cannot be on every link.
    async fn ask_by_arp(
        &self,
        scope: &Scope,
        door: Door,
        pace: &Pace,
    ) -> io::Result<HashSet<IpAddr>> {
        let mut owners = HashSet::new();
        for link in &self.attached {
            let mut here = scope
                .targets(door)
                .filter(|it| is_here(link, *it))
                .peekable();
            if here.peek().is_none() {
                continue;
            }
            let arp = Arp::open(&link.interface)?;
            owners.extend(arp.own.iter().map(|own| IpAddr::V4(*own)));
            for _try in 0..ARP_TRIES {
                let known = owners.clone();
                let open = here.clone().filter(|it| !known.contains(&it.addr().ip()));
                tokio::select! {
                    asked = ask_all(&arp, open, pace) => asked?,
                    heard = hear_all(&arp, link, &mut owners) => heard?,
                }
            }
        }
        Ok(owners)
    }
}

fn is_here(link: &Attached, target: InScope) -> bool {
    let address = target.addr().ip();
    address.is_ipv4() && link.span.contains(address)
}

async fn ask_all(
    arp: &Arp,
    mut targets: impl Iterator<Item = InScope>,
    pace: &Pace,
) -> io::Result<()> {
    loop {
        let batch = pace.batch();
        let mut asked = 0;
        while asked < batch {
            let Some(target) = targets.next() else {
                tokio::time::sleep(ARP_WAIT).await;
                return Ok(());
            };
            if asked == 0 {
                pace.turn(batch).await;
            }
            arp.ask(target).await?;
            asked += 1;
        }
        // Answers are taken in between.
        tokio::task::yield_now().await;
    }
}

async fn hear_all(arp: &Arp, link: &Attached, owners: &mut HashSet<IpAddr>) -> io::Result<()> {
    loop {
        let owner = IpAddr::V4(arp.hear().await?);
        if link.span.contains(owner) {
            owners.insert(owner);
        }
    }
}
