//! What all programs here agree on: the office printer, and who is asked.

use std::net::Ipv4Addr;

use snmp::{Oid, Value};

/// Where the responder listens: the addresses of 127/8 are all this machine's.
pub const PORT: u16 = 16_161;
/// How long each answer takes.
pub const ROUND_TRIP_MILLIS: u64 = 20;

/// The addresses of so many printers.
pub fn addresses(count: u32) -> impl Iterator<Item = Ipv4Addr> {
    let first = u32::from(Ipv4Addr::new(127, 20, 0, 1));
    (0..count).map(move |at| Ipv4Addr::from(first + at))
}

/// An office printer: some 150 objects over 8 tables, in order.
#[must_use]
pub fn office() -> Vec<(Oid, Value)> {
    let mut objects = Vec::new();
    let mut put = |oid: &str, value: Value| {
        let oid: Oid = oid.parse().expect("an identifier");
        objects.push((oid, value));
    };
    let text = |text: &str| Value::OctetString(text.as_bytes().to_vec());
    put(
        "1.3.6.1.2.1.1.1.0",
        text("HP ETHERNET MULTI-ENVIRONMENT,ROM none,JETDIRECT,JD153,EEPROM JSI24090012"),
    );
    put(
        "1.3.6.1.2.1.1.2.0",
        Value::ObjectId("1.3.6.1.4.1.99999.3.9.1".parse().expect("an identifier")),
    );
    put("1.3.6.1.2.1.1.3.0", Value::TimeTicks(8_640_000));
    put("1.3.6.1.2.1.1.5.0", text("NPI8DDE6B"));
    put("1.3.6.1.2.1.1.6.0", text("2nd floor"));
    for row in 1..=2_u32 {
        put(
            &format!("1.3.6.1.2.1.2.2.1.3.{row}"),
            Value::Integer(if row == 1 { 24 } else { 6 }),
        );
    }
    for row in 1..=2_u32 {
        put(
            &format!("1.3.6.1.2.1.2.2.1.6.{row}"),
            Value::OctetString(vec![0, 0x1b, 0x78, 0x8d, 0xde, 0x60 + row as u8]),
        );
    }
    for row in 1..=2_u32 {
        put(&format!("1.3.6.1.2.1.2.2.1.8.{row}"), Value::Integer(1));
    }
    put(
        "1.3.6.1.2.1.25.3.2.1.2.1",
        Value::ObjectId("1.3.6.1.2.1.25.3.1.5".parse().expect("an identifier")),
    );
    put(
        "1.3.6.1.2.1.25.3.2.1.3.1",
        text("Office Color Printer 4700"),
    );
    put("1.3.6.1.2.1.25.3.2.1.5.1", Value::Integer(2));
    put("1.3.6.1.2.1.25.3.5.1.1.1", Value::Integer(3));
    put("1.3.6.1.2.1.25.3.5.1.2.1", Value::OctetString(vec![0]));
    put("1.3.6.1.2.1.43.5.1.1.1.1", Value::Counter32(9));
    put("1.3.6.1.2.1.43.5.1.1.2.1", Value::Integer(1));
    put(
        "1.3.6.1.2.1.43.5.1.1.16.1",
        text("Office Color Printer 4700"),
    );
    put("1.3.6.1.2.1.43.5.1.1.17.1", text("JPBCD12345"));
    put("1.3.6.1.2.1.43.5.1.1.18.1", Value::Counter32(4));
    put("1.3.6.1.2.1.43.5.1.1.19.1", Value::Counter32(31));
    put("1.3.6.1.2.1.43.7.1.1.4.1.1", Value::Integer(106));
    let rows = |column: &str, values: &[Value], put: &mut dyn FnMut(&str, Value)| {
        for (row, value) in (1..).zip(values) {
            put(&format!("{column}.1.{row}"), value.clone());
        }
    };
    let numbers = |all: &[i64]| all.iter().map(|n| Value::Integer(*n)).collect::<Vec<_>>();
    let texts = |all: &[&str]| all.iter().map(|t| text(t)).collect::<Vec<_>>();
    // Trays: 4 rows of 10 columns.
    for (arc, values) in [
        ("2", numbers(&[4, 3, 3, 3])),
        ("8", numbers(&[8, 8, 8, 8])),
        ("9", numbers(&[100, 500, 500, 500])),
        ("10", numbers(&[-3, 430, 0, 500])),
        (
            "12",
            texts(&[
                "na_letter_8.5x11in",
                "iso_a4_210x297mm",
                "iso_a4_210x297mm",
                "iso_a3_297x420mm",
            ]),
        ),
        ("13", texts(&["Tray 1", "Tray 2", "Tray 3", "Tray 4"])),
        ("14", texts(&["Vendor", "Vendor", "Vendor", "Vendor"])),
        ("18", texts(&["Tray 1", "Tray 2", "Tray 3", "Tray 4"])),
    ] {
        rows(&format!("1.3.6.1.2.1.43.8.2.1.{arc}"), &values, &mut put);
    }
    put("1.3.6.1.2.1.43.10.2.1.3.1.1", Value::Integer(7));
    put("1.3.6.1.2.1.43.10.2.1.4.1.1", Value::Counter32(432_951));
    put("1.3.6.1.2.1.43.10.2.1.5.1.1", Value::Counter32(131));
    // Supplies: 6 rows of 7 columns.
    for (arc, values) in [
        ("3", numbers(&[1, 2, 3, 4, 0, 0])),
        ("4", numbers(&[3, 3, 3, 3, 3, 4])),
        ("5", numbers(&[3, 3, 3, 3, 15, 4])),
        (
            "6",
            texts(&[
                "Black Cartridge HP Q5950A",
                "Cyan Cartridge HP Q5951A",
                "Magenta Cartridge HP Q5953A",
                "Yellow Cartridge HP Q5952A",
                "Image Fuser Kit",
                "Waste Toner",
            ]),
        ),
        ("7", numbers(&[7, 7, 7, 7, 7, 19])),
        (
            "8",
            numbers(&[11_000, 10_000, 10_000, 10_000, 150_000, 100]),
        ),
        ("9", numbers(&[5_500, 2_000, 9_000, 300, 120_000, -3])),
    ] {
        rows(&format!("1.3.6.1.2.1.43.11.1.1.{arc}"), &values, &mut put);
    }
    rows(
        "1.3.6.1.2.1.43.12.1.1.4",
        &texts(&["black", "cyan", "magenta", "yellow"]),
        &mut put,
    );
    rows(
        "1.3.6.1.2.1.43.16.5.1.2",
        &texts(&["Ready", "Replace yellow cartridge"]),
        &mut put,
    );
    // Alerts: 3 rows of 7 columns.
    for (arc, values) in [
        ("2", numbers(&[4, 4, 3])),
        ("3", numbers(&[3, 5, 3])),
        ("4", numbers(&[11, 8, 11])),
        ("5", numbers(&[4, 3, 6])),
        ("6", numbers(&[-1, -1, -1])),
        ("7", numbers(&[1104, 808, 1107])),
        (
            "8",
            texts(&[
                "Yellow cartridge low",
                "Tray 3 empty",
                "Waste toner almost full",
            ]),
        ),
    ] {
        rows(&format!("1.3.6.1.2.1.43.18.1.1.{arc}"), &values, &mut put);
    }
    objects.sort_by(|a, b| a.0.cmp(&b.0));
    objects
}
