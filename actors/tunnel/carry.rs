//! One connection of a session: to the device, then the question who answers, and only then octets.
//!
//! The order matters. A device that took the address before the connection was made answers the
//! question; one that takes it later has no part in a connection that is not its own.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::BytesMut;
use printer::identity::Fingerprint;
use russh::ChannelWriteHalf;
use russh::client::Msg;
use tokio::task::yield_now;
use tracing::{debug, info};

use super::cord::Flow;
use super::ears::Call;
use super::ending::{Cause, End};
use super::intake::{Ended, Outlet};
use super::tally::Tally;
use super::ticket::SessionId;
use super::ways::Load;
use crate::reach::credential::Credential;
use crate::reach::scope::InScope;
use crate::reach::snmp::Snmp;
use crate::reach::stream::{self, DeviceStream};
use crate::reach::survey;

/// Where the device is, and how it is known.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) session: SessionId,
    pub(super) web: InScope,
    pub(super) snmp_door: InScope,
    pub(super) fingerprint: Fingerprint,
    pub(super) credential: Credential,
    pub(super) hub: Vec<IpAddr>,
    pub(super) snmp: Snmp,
    pub(super) load: Load,
    pub(super) flow: Flow,
    pub(super) tally: Arc<Tally>,
}

/// Whether who answers is who is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Same {
    Yes,
    /// It shows another key.
    No,
    /// It shows no key that could tell.
    Unknown,
}

/// Compares. A device that never had a key is known by its address alone.
pub(super) fn same(known: &Fingerprint, seen: &Fingerprint) -> Same {
    if known.contradicts(seen) {
        Same::No
    } else if known.matches(seen) || known.is_empty() && seen.is_empty() {
        Same::Yes
    } else {
        Same::Unknown
    }
}

/// Serves a call until it ends; an end of the whole session if another device answers.
pub(super) async fn carry(call: Box<Call>, place: Arc<Place>) -> Option<End> {
    let device = match reach(&place).await {
        Ok(device) => Arc::new(device),
        Err(NotReached { words, end }) => {
            place.tally.refused();
            info!(session = %place.session, why = %words, "a connection through the tunnel is refused");
            call.refuse(words).await;
            return end;
        }
    };
    let _counted = place.tally.connected();
    call.outlet.leads_to(device.clone());
    let (outlet, writer, _place_at_the_gateway) = call.accept().await;
    pass(outlet, &writer, &device, &place).await;
    if writer.close().await.is_err() {
        debug!(session = %place.session, "the link was gone before a connection of it");
    }
    None
}

struct NotReached {
    words: String,
    end: Option<End>,
}

async fn reach(place: &Place) -> Result<DeviceStream, NotReached> {
    let refused = |words: String| NotReached { words, end: None };
    let connected = stream::connect(&place.web, &place.hub).await;
    let device = connected.map_err(|error| refused(error.to_string()))?;
    let asked = survey::who(&place.snmp, &place.snmp_door, &place.credential).await;
    let seen = asked.map_err(|error| {
        refused(format!(
            "nobody can tell whether it is still the device: {error}"
        ))
    })?;
    let address = place.web.addr().ip();
    match same(&place.fingerprint, &seen) {
        Same::Yes => Ok(device),
        Same::No => {
            let words = format!("another device answers at {address}");
            let end = Some(End::new(Cause::AnotherDevice, &words));
            Err(NotReached { words, end })
        }
        Same::Unknown => Err(refused(format!(
            "what answers at {address} shows nothing that tells whether it is still the device"
        ))),
    }
}

/// Passes octets both ways until both are done, or one is broken.
async fn pass(
    mut outlet: Outlet,
    writer: &ChannelWriteHalf<Msg>,
    device: &DeviceStream,
    place: &Place,
) {
    let to_gateway = from_device(writer, device, place);
    tokio::pin!(to_gateway);
    tokio::select! {
        ended = outlet.drain() => if ended == Ended::Sent {
            // The request is whole; the answer may still come, unless the gateway closes.
            tokio::select! {
                _ = &mut to_gateway => {}
                () = outlet.closed() => {}
            }
        },
        ended = &mut to_gateway => if ended == Ended::Sent {
            // The device has said all; what is still on its way to it goes on.
            outlet.drain().await;
        }
    }
}

/// Passes what the device sends to the gateway, until its end.
async fn from_device(
    writer: &ChannelWriteHalf<Msg>,
    device: &DeviceStream,
    place: &Place,
) -> Ended {
    loop {
        if device.readable().await.is_err() {
            return Ended::Closed;
        }
        // Held until the gateway's window and the link have taken it.
        let portion = place.load.portion();
        let Some(_room) = place.load.take(portion).await else {
            return Ended::Closed;
        };
        let mut buffer = BytesMut::with_capacity(portion);
        match device.read_now(&mut buffer) {
            Ok(Some(0)) => break,
            Ok(Some(octets)) => place.tally.received(octets),
            Ok(None) => continue,
            Err(_) => return Ended::Closed,
        }
        if writer.data_bytes(buffer.freeze()).await.is_err() {
            return Ended::Closed;
        }
        if place.load.is_crowded() {
            yield_now().await;
            place.flow.goes_on().await;
        }
    }
    // Whoever closed first has heard it already.
    let _ = writer.eof().await;
    Ended::Sent
}
