//! Who is passed over by a sweep, and who is not although nothing it says first is a printer's.

use printer::{mib, question};
use snmp::recording::Recording;
use snmp::{ErrorStatus, Message, Oid, PduKind, Value, VarBind, Version};

use super::super::credential::Credential;
use super::fake_device::{answer, fleet, refuse};
use super::{FIRST, printer, public, serial, sweep_of, text};

const AT: &str = "127.94.0.1";

/// What a computer says of itself, and a printer that is one inside.
fn computer(more: Option<VarBind>) -> Recording {
    let descr = Oid::new(mib::SYS_DESCR).with(&[0]);
    let says = VarBind::new(descr, text("Linux box 6.1.0 x86_64"));
    [Some(says), more].into_iter().flatten().collect()
}

#[tokio::test]
async fn what_says_it_is_a_computer_costs_one_packet() {
    let port = fleet(&[AT], |asked| vec![answer(&computer(None), &asked)]).await;
    let (found, sweep) = sweep_of("127.94.0.1", port, 1).await;
    assert_eq!(found.len(), 1);
    assert!(!found[0].may_be_a_printer);
    assert!(!found[0].varbinds.is_empty(), "why is for a person to read");
    assert_eq!(sweep.progress().packets_sent, 1);
}

#[tokio::test]
async fn who_leaves_the_last_of_a_question_unanswered_is_asked_for_it_again() {
    let short = |asked: Message| {
        let mut answer = answer(&computer(None), &asked);
        answer.pdu.varbinds.truncate(4);
        vec![answer]
    };
    let port = fleet(&[AT], short).await;
    let (found, sweep) = sweep_of("127.94.0.1", port, 1).await;
    assert!(!found[0].may_be_a_printer);
    assert_eq!(sweep.progress().packets_sent, 2);
}

#[tokio::test]
async fn who_knows_no_getnext_is_asked_with_a_get() {
    let printer = printer(FIRST);
    let refusing = move |asked: Message| match asked.pdu.kind {
        PduKind::Get => vec![answer(&printer, &asked)],
        _ => vec![refuse(&asked, ErrorStatus::GenErr, 0)],
    };
    let port = fleet(&[AT], refusing).await;
    let (found, sweep) = sweep_of("127.94.0.1", port, 1).await;
    assert!(found[0].may_be_a_printer);
    assert_eq!(found[0].varbinds.len(), question::probe().len());
    assert_eq!(sweep.progress().packets_sent, 2);
    // Whoever does not even refuse it is found by the second question to everybody.
    let silent = |asked: Message| match asked.pdu.kind {
        PduKind::Get => vec![answer(&computer(None), &asked)],
        _ => Vec::new(),
    };
    let port = fleet(&[AT], silent).await;
    let (found, _) = sweep_of("127.94.0.1", port, 2).await;
    assert_eq!(found.len(), 1);
}

#[tokio::test]
async fn any_object_of_a_printer_outweighs_a_description() {
    let far_row = VarBind::new(Oid::new(mib::PRT_SERIAL_NUMBER).with(&[7]), text("X1"));
    for version in [Version::V2c, Version::V1] {
        let held = computer(Some(far_row.clone()));
        let port = fleet(&[AT], move |asked| match asked.version == version {
            true => vec![answer(&held, &asked)],
            false => Vec::new(),
        });
        let (found, _) = sweep_of("127.94.0.1", port.await, 2).await;
        assert_eq!(found.len(), 1, "{version:?}");
        assert!(found[0].may_be_a_printer, "{version:?}");
        assert!(found[0].varbinds.contains(&far_row), "{version:?}");
    }
}

#[tokio::test]
async fn who_says_nothing_at_all_is_asked_once_more() {
    let silent = Recording::default();
    let port = fleet(&[AT], move |asked| vec![answer(&silent, &asked)]).await;
    let (found, sweep) = sweep_of("127.94.0.1", port, 1).await;
    let said: Vec<(&Credential, bool)> = found
        .iter()
        .map(|it| (&it.credential, it.may_be_a_printer))
        .collect();
    assert_eq!(said, [(&public(), false)]);
    assert_eq!(sweep.progress().packets_sent, 2);
}

#[tokio::test]
async fn a_device_is_not_passed_over_because_an_answer_was_lost() {
    let mut questions = 0;
    let deaf = move |asked: Message| {
        questions += 1;
        match questions {
            1 => vec![refuse(&asked, ErrorStatus::TooBig, 0)],
            2 => vec![answer(&Recording::default(), &asked)],
            _ => Vec::new(),
        }
    };
    let port = fleet(&[AT], deaf).await;
    let (found, _) = sweep_of("127.94.0.1", port, 1).await;
    assert_eq!(found.len(), 1);
    assert!(found[0].may_be_a_printer);
}

#[tokio::test]
async fn an_answer_beside_the_question_proves_no_printer() {
    let liar = |asked: Message| {
        let mut lie = answer(&Recording::default(), &asked);
        let number = Value::Counter32(1);
        let beside = match asked.pdu.kind {
            // The root itself lies behind no question for the next.
            PduKind::GetNext => VarBind::new(Oid::new(mib::PRINTER_MIB), number),
            _ => VarBind::new(serial(), number),
        };
        lie.pdu.varbinds = vec![beside; asked.pdu.varbinds.len()];
        vec![lie]
    };
    let port = fleet(&[AT], liar).await;
    let (found, _) = sweep_of("127.94.0.1", port, 1).await;
    assert_eq!(found.len(), 1);
    assert!(!found[0].may_be_a_printer);
}
