//! What `platen discover` says beside its table: how it went, in words.

use std::net::IpAddr;
use std::time::Duration;

use actors::reach::link::OwnLink;
use actors::reach::snmp::SnmpCounts;
use actors::reach::sweep::SweepProgress;

use super::found::Found;

/// How addresses on the own link are treated, and what would change it.
pub(super) fn in_words_of_link(own_link: OwnLink) -> String {
    match own_link {
        OwnLink::Paced {
            addresses,
            per_second,
            table,
        } => format!(
            "{addresses} addresses are on this machine's own link: at most {per_second} new ones a \
             second are asked, since the kernel's table of neighbors holds {table} and drops what \
             is beyond; with CAP_NET_RAW they are asked by ARP first, which is faster"
        ),
        OwnLink::Arp { addresses, owned } => format!(
            "{addresses} addresses are on this machine's own link: by ARP {owned} of them have an \
             owner, and those are asked"
        ),
    }
}

/// What may be missing, and what to do about it; nothing where nothing was lost.
pub(super) fn losses(progress: SweepProgress) -> Vec<String> {
    let mut words = Vec::new();
    if progress.dropped > 0 {
        words.push(format!(
            "{} answers came faster than this machine took them, and were lost: ask again with a \
             lower --rate, or raise net.core.rmem_max",
            progress.dropped
        ));
    }
    if progress.neighbor_overflows > 0 {
        words.push(format!(
            "the kernel's table of neighbors was full {} times, and dropped what was to be sent: \
             ask again with a lower --rate, or raise net.ipv4.neigh.default.gc_thresh3",
            progress.neighbor_overflows
        ));
    }
    words
}

/// `4 printers, 2 other devices, 248 silent · 254 addresses in 4.1 s · 584 packets, 61 kB sent`
pub(super) fn summary(
    found: &[(IpAddr, Found)],
    (progress, read): (SweepProgress, SnmpCounts),
    took: Duration,
) -> String {
    let count = |is: fn(&Found) -> bool| found.iter().filter(|(_, found)| is(found)).count();
    let printers = count(|found| matches!(found, Found::Printer(_)));
    let others = count(|found| matches!(found, Found::Other(_)));
    let unread = count(|found| matches!(found, Found::Unread(_)));
    let refused = count(|found| matches!(found, Found::Refused(_)));
    let silent = progress.addresses.saturating_sub(progress.answered);
    let mut text = format!("{printers} {}", plural(printers, "printer", "printers"));
    if others > 0 {
        text.push_str(&format!(
            ", {others} other {}",
            plural(others, "device", "devices")
        ));
    }
    if refused > 0 {
        let answer = plural(refused, "answers", "answer");
        text.push_str(&format!(", {refused} {answer} but no credential fits"));
    }
    if unread > 0 {
        text.push_str(&format!(", {unread} unread"));
    }
    let seconds = took.as_secs_f64();
    let packets = progress.packets_sent + read.packets_sent;
    let kilobytes = (progress.bytes_sent + read.bytes_sent).div_ceil(1_000);
    let addresses = match progress.addresses {
        1 => "1 address".to_owned(),
        addresses => format!("{addresses} addresses"),
    };
    text.push_str(&format!(
        ", {silent} silent · {addresses} in {seconds:.1} s · {packets} packets, {kilobytes} kB \
         sent"
    ));
    if progress.unsendable > 0 {
        text.push_str(&format!(
            " · {} could not be sent (no route?)",
            progress.unsendable
        ));
    }
    text
}

fn plural<'w>(count: usize, one: &'w str, many: &'w str) -> &'w str {
    if count == 1 { one } else { many }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_packets_of_sweep_and_readings_are_told_as_one() {
        let progress = SweepProgress {
            addresses: 254,
            answered: 1,
            packets_sent: 508,
            bytes_sent: 50_001,
            ..SweepProgress::default()
        };
        let read = SnmpCounts {
            packets_sent: 12,
            bytes_sent: 1_000,
            ..SnmpCounts::default()
        };
        let said = summary(&[], (progress, read), Duration::from_millis(4_100));
        assert!(said.contains(", 253 silent · 254 addresses in 4.1 s · 520 packets, 52 kB sent"));
        assert!(losses(progress).is_empty());
    }

    #[test]
    fn what_was_lost_is_told_with_a_cure() {
        let progress = SweepProgress {
            dropped: 3,
            neighbor_overflows: 4,
            ..SweepProgress::default()
        };
        let [answers, neighbors] = losses(progress).try_into().unwrap();
        assert!(answers.contains("3 answers") && answers.contains("rmem_max"));
        assert!(neighbors.contains("4 times") && neighbors.contains("gc_thresh3"));
    }

    #[test]
    fn the_pace_on_the_own_link_is_told_with_its_reason() {
        let said = in_words_of_link(OwnLink::Paced {
            addresses: 65_534,
            per_second: 298,
            table: 1_024,
        });
        assert!(said.contains("298 new ones a second") && said.contains("CAP_NET_RAW"));
    }
}
