//! What a message costs: the longest datagram there is takes no more than 512 KiB to read, whatever
//! is in it.

#![expect(clippy::expect_used, reason = "a helper of tests fails as a test does")]

use std::alloc::System;

use cap::Cap;

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

/// The budget of a whole reading, which one answer cannot be above.
const BYTES_MAX: usize = 512 * 1_024;

/// Octets of the longest datagram over IPv4.
const DATAGRAM_BYTES: usize = 65_507;

/// What stands before the objects: a response of version 2c, with all lengths of the long form.
const HEAD: [u8; 35] = [
    0x30, 0x84, 0, 0, 0, 0, 0x02, 1, 1, 0x04, 1, b'p', 0xa2, 0x84, 0, 0, 0, 0, 0x02, 1, 7, 0x02, 1,
    0, 0x02, 1, 0, 0x30, 0x84, 0, 0, 0, 0, 0, 0,
];

/// Where the head says how long what follows is.
const LENGTHS: [usize; 3] = [2, 14, 29];

/// Fills a datagram with this object, as often as it fits, at most `most` times.
fn fill(datagram: &mut Vec<u8>, object: &[u8], most: usize) {
    datagram.clear();
    datagram.extend_from_slice(&HEAD[..33]);
    for _ in 0..most {
        if datagram.len() + object.len() > DATAGRAM_BYTES {
            break;
        }
        datagram.extend_from_slice(object);
    }
    for at in LENGTHS {
        let size = u32::try_from(datagram.len() - at - 4).expect("a datagram");
        datagram[at..at + 4].copy_from_slice(&size.to_be_bytes());
    }
}

/// A varbind of these two elements.
fn object(oid: &[u8], value: &[u8]) -> Vec<u8> {
    let size = u32::try_from(oid.len() + value.len()).expect("small");
    let head = [0x30, 0x84];
    [&head, &size.to_be_bytes()[..], oid, value].concat()
}

fn element(tag: u8, octets: &[u8]) -> Vec<u8> {
    let size = u32::try_from(octets.len()).expect("small");
    [&[tag, 0x84], &size.to_be_bytes()[..], octets].concat()
}

#[test]
fn no_datagram_takes_more_than_512_kib_to_read() {
    let (small, null) = ([0x06, 1, 0x2b], [0x05, 0]);
    let arcs = |count: usize| element(0x06, &vec![0x01; count]);
    let objects = [
        [&[0x30, 5], &small[..], &null].concat(),
        object(&small, &element(0x04, &[0; 8_192])),
        object(&small, &element(0x04, &[0; 8_193])),
        object(&small, &element(0x99, &[1])),
        object(&arcs(127), &null),
        object(&arcs(15), &null),
        object(&arcs(60_000), &null),
        object(&small, &arcs(127)),
        object(&arcs(13), &element(0x06, &[1; 4])),
        vec![0x30, 0],
        vec![0x30, 0x80],
        [0x30, 0x84, 0, 0, 0xff, 0].to_vec(),
    ];
    let mut datagram = Vec::with_capacity(DATAGRAM_BYTES);
    let mut worst = 0;
    for object in &objects {
        for most in [1, 1_000, 2_047, 2_048, 2_049, usize::MAX] {
            fill(&mut datagram, object, most);
            let before = MEMORY.allocated();
            let read = snmp::decode(&datagram);
            // The highest mark of all so far: if an earlier one was higher, this one was lower.
            let peak = MEMORY.max_allocated().saturating_sub(before);
            worst = worst.max(peak);
            let head = &object[..object.len().min(12)];
            assert!(
                peak <= BYTES_MAX,
                "{peak} octets for {} of {head:02x?} × {most}: {:?}",
                datagram.len(),
                read.map(|message| message.pdu.varbinds.len()),
            );
        }
    }
    println!("{worst} octets at most");
}
