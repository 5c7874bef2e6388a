//! The agent's whole life against printers on loopback: deaths, hangs, moves, silence, the hub.
//!
//! Needs the feature `provoke`. Nothing is mocked: SNMP over UDP, the spool on disk, gRPC over
//! TLS; only the printers and the hub are small stand-ins.

#![cfg(feature = "provoke")]

#[cfg(test)]
#[path = "life/doors.rs"]
mod doors;
#[cfg(test)]
#[path = "life/gateway.rs"]
mod gateway;
#[cfg(test)]
#[path = "life/hub.rs"]
mod hub;
#[cfg(test)]
#[path = "life/identity.rs"]
mod identity;
#[cfg(test)]
#[path = "life/rack.rs"]
mod rack;
#[cfg(test)]
#[path = "life/sshd.rs"]
mod sshd;
#[cfg(test)]
#[path = "life/tunnel.rs"]
mod tunnel;
#[cfg(test)]
#[path = "life/world.rs"]
mod world;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use actors::messages::{Cause, ChildId, Fault, HangReason, Kind};
    use actors::order::{Order, Progress};
    use actors::report::Report;
    use actors::status::ChildRestarts;

    use crate::hub::Hub;
    use crate::rack::Rack;
    use crate::world::World;

    const FAULTS: [Fault; 3] = [Fault::Panic, Fault::Hang, Fault::Stall];

    fn caused(fault: Fault, cause: &Cause) -> bool {
        match fault {
            Fault::Panic => *cause == Cause::Panicked("provoked".to_owned()),
            Fault::Hang => *cause == Cause::Hung(HangReason::NoAnswer),
            Fault::Stall => matches!(cause, Cause::Hung(HangReason::Overdue(_))),
        }
    }

    /// Every fault in one child: it returns, its siblings notice nothing, the spool keeps all.
    async fn survives(kind: Kind) {
        let rack = Rack::of(2).await;
        let (hub, link) = Hub::away();
        let world = World::new(&rack, Some(link)).await;
        world
            .until("both are read", |status| status.printers.read == 2)
            .await;
        let kept = world.reports().await.len();
        let child = match kind {
            Kind::Scanner => ChildId::Scanner("rack".to_owned()),
            Kind::Uplink => ChildId::Uplink,
            Kind::Device => ChildId::Device(world.device_of(rack.serial(0)).await),
            Kind::Tunnel => unreachable!("it does not return"),
        };
        for (count, fault) in (1..).zip(FAULTS) {
            assert!(
                world
                    .handle
                    .provoke(child.clone(), fault)
                    .await
                    .expect("lives")
            );
            let status = world
                .until("it died and lives again", |status| {
                    let restarts = &status.restarts.children;
                    restarts
                        .iter()
                        .any(|it| it.restarts == count && it.is_alive)
                })
                .await;
            let restarted = &status.restarts.children[0];
            assert!(
                caused(fault, &restarted.cause),
                "{fault:?}: {:?}",
                restarted.cause
            );
            assert_eq!(
                status.restarts.by_kind,
                [(kind, count)].into(),
                "only it was restarted"
            );
            assert_eq!(restarted.child, child);
            // A device whose actors only die is set aside; one that is read between is not.
            if let ChildId::Device(device) = &child {
                let is_its = |report: &Report| report.device() == Some(device);
                world
                    .until_reports("it is read again", |reports| {
                        reports.iter().filter(|report| is_its(report)).count() > count as usize
                    })
                    .await;
            }
        }
        assert!(
            world.reports().await.len() >= kept,
            "the spool lost something"
        );
        drop(hub);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_scanner_that_panics_or_hangs_returns() {
        survives(Kind::Scanner).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_device_that_panics_or_hangs_returns() {
        survives(Kind::Device).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_device_that_kills_its_actor_three_times_is_set_aside_until_it_is_released() {
        let rack = Rack::of(2).await;
        let world = World::new(&rack, None).await;
        world
            .until("both are read", |status| status.printers.read == 2)
            .await;
        let device = world.device_of(rack.serial(0)).await;
        let child = ChildId::Device(device.clone());
        rack.silence(0);
        for death in 1..=3 {
            let lives = world.handle.provoke(child.clone(), Fault::Panic).await;
            assert!(lives.expect("a life"), "death {death}");
            world
                .until("it died, and returned or was set aside", |status| {
                    let children = &status.restarts.children;
                    let is_back = |it: &ChildRestarts| it.restarts == death && it.is_alive;
                    children.iter().any(is_back) || !status.set_aside.is_empty()
                })
                .await;
        }
        let world = world.restarted(&rack).await;
        rack.answer_again(0);
        let status = world
            .until("the other is read after a new start", |status| {
                status.printers.read == 1 && status.subnets[0].scanner.swept_at.is_some()
            })
            .await;
        let held = &status.set_aside[0];
        assert_eq!((&held.device, status.set_aside.len()), (&device, 1));
        assert_eq!(held.cause, "panicked: provoked");
        assert!(held.file.as_ref().is_some_and(|file| file.is_file()));

        let release = |device| async {
            let order = Order::Release(device);
            let ended = world.handle.execute(order, Progress::default()).await;
            ended.expect("a life").map(String::from_utf8)
        };
        let released = release(device.clone()).await.expect("released");
        assert!(released.is_ok_and(|words| words.contains(&device.to_string())));
        let file = held.file.clone().expect("a file");
        world
            .until("it is read again", |status| {
                status.printers.read == 2 && status.set_aside.is_empty()
            })
            .await;
        world
            .until_true("its file is gone", || !file.exists())
            .await;
        assert!(
            release(device).await.is_err(),
            "it is not set aside any more"
        );
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_uplink_that_panics_or_hangs_returns() {
        survives(Kind::Uplink).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn printers_are_found_read_and_told_apart() {
        let rack = Rack::of(3).await;
        let world = World::new(&rack, None).await;
        let status = world
            .until("all are read", |status| status.printers.read == 3)
            .await;
        assert_eq!((status.printers.known, status.printers.silent), (3, 0));
        assert_eq!(status.subnets[0].label, "rack");
        let full = world
            .reports()
            .await
            .into_iter()
            .filter_map(|report| match report {
                Report::Full { reading, .. } => reading.identity.serial.zip(reading.address),
                _ => None,
            });
        let places: BTreeMap<_, _> = full.collect();
        let expected = (0..3).map(|n| (rack.serial(n), rack.address(n)));
        assert_eq!(places, expected.collect());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_printer_that_moves_stays_itself() {
        let rack = Rack::of(3).await;
        rack.silence(2);
        let world = World::new(&rack, None).await;
        world
            .until("two are read", |status| status.printers.read == 2)
            .await;
        let device = world.device_of(rack.serial(0)).await;
        rack.swap(0, 2);
        world
            .until_reports("it is read at its new address", |reports| {
                reports.iter().any(|report| match report {
                    Report::Full {
                        device: whose,
                        reading,
                    }
                    | Report::Status {
                        device: whose,
                        reading,
                    } => *whose == device && reading.address == Some(rack.address(2)),
                    Report::Silent { .. } | Report::Thinned { .. } => false,
                })
            })
            .await;
        let status = world.handle.status().await.expect("alive");
        assert_eq!(status.printers.known, 2, "nobody was invented");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn printers_that_swap_addresses_keep_their_readings() {
        let rack = Rack::of(2).await;
        let world = World::new(&rack, None).await;
        world
            .until("both are read", |status| status.printers.read == 2)
            .await;
        let devices = [
            world.device_of(rack.serial(0)).await,
            world.device_of(rack.serial(1)).await,
        ];
        rack.swap(0, 1);
        let reports = world
            .until_reports("both are read where they live now", |reports| {
                [(0, 1), (1, 0)].iter().all(|(whose, place)| {
                    reports.iter().any(|report| match report {
                        Report::Full { device, reading } | Report::Status { device, reading } => {
                            *device == devices[*whose]
                                && reading.address == Some(rack.address(*place))
                        }
                        Report::Silent { .. } | Report::Thinned { .. } => false,
                    })
                })
            })
            .await;
        for report in reports {
            if let Report::Full { device, reading } | Report::Status { device, reading } = report {
                let serial = reading.identity.serial.expect("a serial");
                let whose = usize::from(serial == rack.first_serial_of(1));
                assert_eq!(device, devices[whose], "a reading under the wrong name");
            }
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_silent_printer_is_reported_once() {
        let rack = Rack::of(2).await;
        let world = World::new(&rack, None).await;
        world
            .until("both are read", |status| status.printers.read == 2)
            .await;
        let device = world.device_of(rack.serial(0)).await;
        rack.silence(0);
        let status = world
            .until("one is silent", |status| status.printers.silent == 1)
            .await;
        assert_eq!(status.printers.silent_listed[0].device, device);
        let is_silence = |report: &&Report| matches!(report, Report::Silent { .. });
        let once = |reports: &[Report]| reports.iter().filter(is_silence).count() == 1;
        world.until_reports("it is reported", once).await;
        let sweeps = world.handle.status().await.expect("alive").subnets[0]
            .scanner
            .swept_at;
        world
            .until("time has passed", |it| {
                it.subnets[0].scanner.swept_at > sweeps
            })
            .await;
        assert!(
            once(&world.reports().await),
            "once a day, not at every read"
        );
        rack.answer_again(0);
        world
            .until("it is back", |status| status.printers.silent == 0)
            .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn known_printers_survive_a_restart_of_the_agent() {
        let rack = Rack::of(3).await;
        let world = World::new(&rack, None).await;
        world
            .until("all are read", |status| status.printers.read == 3)
            .await;
        let kept = world.reports().await.len();
        for printer in 0..3 {
            rack.silence(printer);
        }
        let world = world.restarted(&rack).await;
        let status = world
            .until("they are known", |status| status.printers.known == 3)
            .await;
        assert_eq!(status.printers.read, 0);
        assert!(
            world.reports().await.len() >= kept,
            "the spool lost something"
        );
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_hour_without_the_hub_loses_nothing() {
        let rack = Rack::of(3).await;
        let (mut hub, link) = Hub::away();
        let world = World::new(&rack, Some(link)).await;
        let status = world
            .until("all are read, the hub is missed", |status| {
                let hub = status.hub.as_ref().expect("configured");
                status.printers.read == 3 && hub.uplink.trouble.is_some()
            })
            .await;
        assert!(status.queue.waiting >= 3);
        hub.open().await;
        world
            .until("all is handed over", |status| status.queue.waiting == 0)
            .await;
        let sequences = hub.sequences();
        let whole: Vec<u64> = (1..=u64::try_from(sequences.len()).expect("few")).collect();
        assert_eq!(sequences, whole, "a gap, or a report out of order");
        world
            .until("the hub is said to answer", |status| {
                let uplink = &status.hub.as_ref().expect("configured").uplink;
                uplink.trouble.is_none() && uplink.contact_at.is_some()
            })
            .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_hub_restored_from_a_backup_asks_again() {
        let rack = Rack::of(2).await;
        let (mut hub, link) = Hub::away();
        hub.open().await;
        let world = World::new(&rack, Some(link)).await;
        world
            .until("all is handed over", |status| {
                status.printers.read == 2 && status.queue.waiting == 0
            })
            .await;
        let before = hub.sequences();
        hub.restore_empty();
        world
            .until_true("it has everything again", || {
                hub.sequences().len() >= before.len()
            })
            .await;
        assert_eq!(hub.sequences()[..before.len()], before[..]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_drain_ends_everything_and_the_spool_stays_whole() {
        let rack = Rack::of(2).await;
        let world = World::new(&rack, None).await;
        world
            .until("both are read", |status| status.printers.read == 2)
            .await;
        let limit = std::time::Duration::from_secs(8);
        assert_eq!(world.handle.drain(limit).await, actors::Ended::Drained);
        assert!(
            world.handle.status().await.is_err(),
            "the supervisor still answers"
        );
        assert!(world.reports().await.len() >= 2);
    }
}
