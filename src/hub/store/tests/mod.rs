//! The store's promises. Each is held to on SQLite and on a PostgreSQL that the test starts.
//!
//! A case takes a [`Place`], a fresh and empty store, and opens it as often as it likes.

use std::path::PathBuf;

use jiff::Timestamp;
use printer::identity::DeviceId;
use printer::reading::Reading;
use tempfile::TempDir;

use crate::store::accept::{AcceptError, Accepted};
use crate::store::agents::{AgentId, AgentStatus};
use crate::store::invitations::{Answer, Enrollment, Invitation};
use crate::store::report::{Batch, Body, Report};
use crate::store::{Store, Tenant, hash_hex};

mod audit;
mod gateway;
mod holders;
mod keeping;
mod merging;
mod ordering;
mod people;
mod postgres;
mod showing;
mod web;

/// Where a case may make its store.
pub(crate) struct Place {
    url: String,
    folder: PathBuf,
}

impl Place {
    async fn open(&self) -> Store {
        Store::open(&self.url, &self.folder).await.unwrap()
    }
}

/// Each case is a test on SQLite; all of them together are one on PostgreSQL, whose start costs.
macro_rules! cases {
    ($($room:ident::$case:ident,)+) => {
        mod on_sqlite {
            $(
                #[tokio::test]
                async fn $case() {
                    let folder = tempfile::tempdir().unwrap();
                    super::$room::$case(super::sqlite(&folder)).await;
                }
            )+
        }

        #[tokio::test]
        async fn every_promise_holds_on_postgresql() {
            let Some(server) = postgres::Server::start() else { return };
            $(
                eprintln!(concat!("on PostgreSQL: ", stringify!($case)));
                $room::$case(server.place(stringify!($case)).await).await;
            )+
        }
    };
}

cases! {
    keeping::a_repeat_changes_nothing,
    keeping::concurrent_polls_keep_each_report_once,
    keeping::a_gap_before_a_batch_is_asked_for_once,
    keeping::a_gap_inside_a_batch_is_a_gap_of_the_spool,
    keeping::a_new_epoch_begins_at_one,
    keeping::another_report_of_the_same_number_is_refused_with_its_batch,
    keeping::what_was_acknowledged_is_there_after_a_restart,
    keeping::a_late_reading_is_kept_but_is_not_the_latest,
    keeping::a_clock_that_is_ahead_hides_no_later_reading,
    keeping::a_device_is_silent_until_it_answers,
    keeping::thinning_is_kept_as_a_report,
    keeping::what_a_site_lost_after_it_was_kept_stays_kept,
    holders::an_epoch_that_goes_back_is_quarantine_until_a_person_releases,
    holders::a_start_that_comes_back_is_quarantine,
    holders::a_certificate_is_good_until_a_later_one_is_used,
    holders::a_certificate_that_a_used_one_replaced_is_quarantine_when_it_comes_back,
    holders::a_hub_restored_from_a_backup_believes_what_its_authority_signed_since,
    holders::an_ended_certificate_is_told_from_a_good_one,
    holders::whoever_is_shut_out_is_listed,
    holders::refusals_of_a_revoked_agent_are_counted_to_five,
    holders::a_key_waits_for_a_person,
    holders::a_key_that_is_turned_down_closes_its_code,
    holders::of_a_hundred_failed_tries_at_once_five_count,
    holders::an_agent_keeps_its_site_and_its_keys,
    ordering::a_command_is_sent_until_it_is_answered,
    ordering::the_first_last_word_stays,
    ordering::a_command_ends_with_its_time,
    ordering::one_agents_open_commands_are_bounded,
    people::a_code_opens_once,
    people::a_code_ends_after_its_time,
    people::a_code_is_closed_after_too_many_tries,
    people::an_agent_that_enrolls_again_keeps_its_printers,
    people::a_revoked_agent_is_nobody,
    people::guessing_tires_one_network_and_no_other,
    people::a_portal_link_opens_one_session,
    people::a_session_ends,
    showing::the_same_device_of_two_agents_is_two_rows_and_one_history,
    showing::pages_are_counted_from_the_day_before_and_gaps_are_said,
    showing::a_day_of_many_readings_is_counted_around_its_falls,
    showing::a_total_that_nothing_proves_is_in_no_day,
    showing::the_fleet_adds_up,
    showing::one_tenant_sees_nothing_of_another,
    showing::an_agent_tells_how_it_is,
    showing::a_store_of_a_newer_hub_is_refused,
    merging::merged_devices_show_one_history_and_split_ones_their_own,
    merging::a_part_follows_its_printer_and_two_make_no_circle,
    merging::nothing_is_merged_across_tenants,
    merging::a_printer_of_its_own_is_part_of_none_until_it_is_merged,
    audit::whatever_is_done_to_the_audit_is_found,
    audit::an_audit_that_was_cut_is_found_and_takes_nothing_more,
    audit::a_crash_between_commit_and_head_loses_nothing,
    web::a_web_session_is_kept_from_its_beginning_to_its_end,
    web::what_a_dead_hub_left_and_who_wants_an_end_are_found,
    web::a_pinned_certificate_changes_by_a_person_alone,
    gateway::an_agents_key_is_good_as_long_as_its_certificate,
    gateway::a_persons_keys_are_their_own_and_bounded,
    gateway::a_port_of_the_sshd_is_one_sessions_and_its_agents,
}

fn sqlite(folder: &TempDir) -> Place {
    Place {
        url: "sqlite:hub.db".to_owned(),
        folder: folder.path().to_owned(),
    }
}

/// An agent of the default tenant, enrolled.
async fn agent(store: &Store, name: &str) -> AgentId {
    agent_of(store, &Tenant::DEFAULT, name).await
}

async fn agent_of(store: &Store, tenant: &Tenant, name: &str) -> AgentId {
    let invitation = invitation(store, tenant, name).await;
    let fingerprint = hash_hex(format!("{name} {}", invitation.agent).as_bytes());
    let enrollment = Enrollment {
        invitation: &invitation,
        fingerprint: &fingerprint,
        key_hash: "0a",
        sealing_key: Some([7; 32]),
        until: at("2027-11-23T08:00:00Z"),
        version: "0.1.0",
    };
    assert!(store.enroll(tenant, &enrollment, now()).await.unwrap());
    store
        .agent_of(tenant, &fingerprint, now())
        .await
        .unwrap()
        .unwrap()
}

async fn invitation(store: &Store, tenant: &Tenant, name: &str) -> Invitation {
    let secret = crate::store::random_hex().unwrap();
    store.invite(tenant, name, &secret, now()).await.unwrap();
    match store.invitation(tenant, &secret, now()).await.unwrap() {
        Answer::Open(invitation) => invitation,
        other => panic!("{other:?}"),
    }
}

/// Hands over reports, as a poll does.
async fn accept(
    store: &Store,
    agent: &AgentId,
    epoch: u64,
    reports: &[Report],
) -> Result<Accepted, AcceptError> {
    store
        .accept(
            agent,
            &Batch {
                epoch,
                status: &status(),
                reports,
            },
            now(),
        )
        .await
}

fn status() -> AgentStatus {
    AgentStatus {
        version: "0.1.0".to_owned(),
        ..AgentStatus::default()
    }
}

/// A reading of the printer number `device`, whose counter stands at `total`.
fn read(sequence: u64, device: u8, when: &str, total: u64) -> Report {
    let body = Body::Reading {
        device: device_id(device),
        is_status: false,
        reading: Box::new(reading(device, when, total)),
    };
    Report { sequence, body }
}

fn reading(device: u8, when: &str, total: u64) -> Reading {
    let json = serde_json::json!({
        "schema": 1, "is_printer": true, "address": format!("10.0.0.{device}"), "at": when,
        "identity": {"vendor": "Kyocera", "serial": format!("W{device:03}\u{0}")},
        "status": {"state": "idle", "severity": "ok", "conditions": [], "console": ["\u{0}"]},
        "meters": [{"name": "total", "value": total, "unit": "impressions", "evidence":
            {"door": "snmp", "object": "", "raw": "", "rule": "printer-mib/life-count"}}],
        "supplies": [], "trays": [], "alerts": []
    });
    serde_json::from_value(json).unwrap()
}

fn device_id(device: u8) -> DeviceId {
    DeviceId::parse(&format!("{device:032x}")).unwrap()
}

fn at(when: &str) -> Timestamp {
    when.parse().unwrap()
}

fn now() -> Timestamp {
    at("2026-11-23T08:00:00Z")
}
