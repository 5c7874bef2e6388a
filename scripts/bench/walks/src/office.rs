//! The office printer: 127 objects in eight tables.

use snmp::{Oid, Value};

/// Its objects as they are gathered, in any order.
struct Objects(Vec<(Oid, Value)>);

impl Objects {
    fn put(&mut self, oid: &str, value: Value) {
        self.0.push((oid.parse().expect("an identifier"), value));
    }

    /// A column: these values in its rows 1 and on of device 1.
    fn column(&mut self, column: &str, values: Vec<Value>) {
        for (row, value) in (1..).zip(values) {
            self.put(&format!("{column}.1.{row}"), value);
        }
    }
}

/// An office printer: 127 objects in eight tables, in order.
#[must_use]
pub fn office() -> Vec<(Oid, Value)> {
    let mut all = Objects(Vec::new());
    system(&mut all);
    host(&mut all);
    general(&mut all);
    trays(&mut all);
    supplies(&mut all);
    alerts(&mut all);
    all.0.sort_by(|a, b| a.0.cmp(&b.0));
    all.0
}

fn text(text: &str) -> Value {
    Value::OctetString(text.as_bytes().to_vec())
}

fn texts(all: &[&str]) -> Vec<Value> {
    all.iter().map(|it| text(it)).collect()
}

fn numbers(all: &[i64]) -> Vec<Value> {
    all.iter().map(|it| Value::Integer(*it)).collect()
}

fn object_id(oid: &str) -> Value {
    Value::ObjectId(Box::new(oid.parse().expect("an identifier")))
}

/// The system group, and two interfaces.
fn system(all: &mut Objects) {
    all.put(
        "1.3.6.1.2.1.1.1.0",
        text("HP ETHERNET MULTI-ENVIRONMENT,ROM none,JETDIRECT,JD153,EEPROM JSI24090012"),
    );
    all.put("1.3.6.1.2.1.1.2.0", object_id("1.3.6.1.4.1.99999.3.9.1"));
    all.put("1.3.6.1.2.1.1.3.0", Value::TimeTicks(8_640_000));
    all.put("1.3.6.1.2.1.1.5.0", text("NPI8DDE6B"));
    all.put("1.3.6.1.2.1.1.6.0", text("2nd floor"));
    for (row, kind) in [(1, 24), (2, 6)] {
        let interface = |column: u32| format!("1.3.6.1.2.1.2.2.1.{column}.{row}");
        let mac = vec![0, 0x1b, 0x78, 0x8d, 0xde, 0x60 + row];
        all.put(&interface(3), Value::Integer(kind));
        all.put(&interface(6), Value::OctetString(mac));
        all.put(&interface(8), Value::Integer(1));
    }
}

/// Its row in the host's table of devices.
fn host(all: &mut Objects) {
    all.put(
        "1.3.6.1.2.1.25.3.2.1.2.1",
        object_id("1.3.6.1.2.1.25.3.1.5"),
    );
    all.put(
        "1.3.6.1.2.1.25.3.2.1.3.1",
        text("Office Color Printer 4700"),
    );
    all.put("1.3.6.1.2.1.25.3.2.1.5.1", Value::Integer(2));
    all.put("1.3.6.1.2.1.25.3.5.1.1.1", Value::Integer(3));
    all.put("1.3.6.1.2.1.25.3.5.1.2.1", Value::OctetString(vec![0]));
}

/// What stands once, the marker, and the display.
fn general(all: &mut Objects) {
    all.put("1.3.6.1.2.1.43.5.1.1.1.1", Value::Counter32(9));
    all.put("1.3.6.1.2.1.43.5.1.1.2.1", Value::Integer(1));
    all.put(
        "1.3.6.1.2.1.43.5.1.1.16.1",
        text("Office Color Printer 4700"),
    );
    all.put("1.3.6.1.2.1.43.5.1.1.17.1", text("JPBCD12345"));
    all.put("1.3.6.1.2.1.43.5.1.1.18.1", Value::Counter32(4));
    all.put("1.3.6.1.2.1.43.5.1.1.19.1", Value::Counter32(31));
    all.put("1.3.6.1.2.1.43.7.1.1.4.1.1", Value::Integer(106));
    all.put("1.3.6.1.2.1.43.10.2.1.3.1.1", Value::Integer(7));
    all.put("1.3.6.1.2.1.43.10.2.1.4.1.1", Value::Counter32(432_951));
    all.put("1.3.6.1.2.1.43.10.2.1.5.1.1", Value::Counter32(131));
    let lines = texts(&["Ready", "Replace yellow cartridge"]);
    all.column("1.3.6.1.2.1.43.16.5.1.2", lines);
}

/// Four trays.
fn trays(all: &mut Objects) {
    let names = || texts(&["Tray 1", "Tray 2", "Tray 3", "Tray 4"]);
    let media = texts(&[
        "na_letter_8.5x11in",
        "iso_a4_210x297mm",
        "iso_a4_210x297mm",
        "iso_a3_297x420mm",
    ]);
    for (arc, values) in [
        (2, numbers(&[4, 3, 3, 3])),
        (8, numbers(&[8; 4])),
        (9, numbers(&[100, 500, 500, 500])),
        (10, numbers(&[-3, 430, 0, 500])),
        (12, media),
        (13, names()),
        (14, texts(&["Vendor"; 4])),
        (18, names()),
    ] {
        all.column(&format!("1.3.6.1.2.1.43.8.2.1.{arc}"), values);
    }
}

/// Six supplies, and four colorants.
fn supplies(all: &mut Objects) {
    let descriptions = texts(&[
        "Black Cartridge HP Q5950A",
        "Cyan Cartridge HP Q5951A",
        "Magenta Cartridge HP Q5953A",
        "Yellow Cartridge HP Q5952A",
        "Image Fuser Kit",
        "Waste Toner",
    ]);
    for (arc, values) in [
        (3, numbers(&[1, 2, 3, 4, 0, 0])),
        (4, numbers(&[3, 3, 3, 3, 3, 4])),
        (5, numbers(&[3, 3, 3, 3, 15, 4])),
        (6, descriptions),
        (7, numbers(&[7, 7, 7, 7, 7, 19])),
        (8, numbers(&[11_000, 10_000, 10_000, 10_000, 150_000, 100])),
        (9, numbers(&[5_500, 2_000, 9_000, 300, 120_000, -3])),
    ] {
        all.column(&format!("1.3.6.1.2.1.43.11.1.1.{arc}"), values);
    }
    let colorants = texts(&["black", "cyan", "magenta", "yellow"]);
    all.column("1.3.6.1.2.1.43.12.1.1.4", colorants);
}

/// Three alerts.
fn alerts(all: &mut Objects) {
    let descriptions = texts(&[
        "Yellow cartridge low",
        "Tray 3 empty",
        "Waste toner almost full",
    ]);
    for (arc, values) in [
        (2, numbers(&[4, 4, 3])),
        (3, numbers(&[3, 5, 3])),
        (4, numbers(&[11, 8, 11])),
        (5, numbers(&[4, 3, 6])),
        (6, numbers(&[-1; 3])),
        (7, numbers(&[1104, 808, 1107])),
        (8, descriptions),
    ] {
        all.column(&format!("1.3.6.1.2.1.43.18.1.1.{arc}"), values);
    }
}
