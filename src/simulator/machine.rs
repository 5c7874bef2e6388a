//! A recording, understood: which of its objects live, and of what kind of device it is.
//!
//! Made once for each recording and shared by all devices that play it. It holds no state of a
//! device: [`crate::life`] does, and [`crate::device`] brings the two together.

use snmp::recording::Recording;
use snmp::{Oid, Value};

use crate::mib::{self, Meter};

/// A device as its recording shows it.
#[derive(Debug)]
pub(crate) struct Machine {
    objects: Vec<Object>,
    /// The supplies, in the order of their rows.
    pub(crate) supplies: Vec<Supply>,
    /// The trays, in the order of their rows.
    pub(crate) trays: Vec<Tray>,
    /// The name and row of the cover that people open.
    pub(crate) cover: Option<(u32, String)>,
    /// hrDeviceIndex of the printer; `None` for a device that is none.
    pub(crate) printer: Option<u32>,
    /// Whether it copies and scans.
    pub(crate) copies: bool,
    /// Whether its meters tell large pages from small ones.
    pub(crate) sizes: bool,
    /// Whether it prints in color.
    pub(crate) color: bool,
    /// The level this maker gives for an empty supply, where it is not 0.
    pub(crate) empty_level: i64,
    /// The serial number it was recorded with.
    pub(crate) serial: Vec<u8>,
    /// Its first hardware address.
    pub(crate) mac: Option<[u8; 6]>,
    /// Its sysName.
    pub(crate) name: Vec<u8>,
}

/// One object of a machine.
#[derive(Debug)]
pub(crate) struct Object {
    /// The instance.
    pub(crate) oid: Oid,
    /// The value it was recorded with.
    pub(crate) value: Value,
    /// What moves it, if anything does.
    pub(crate) live: Live,
}

/// What moves an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Live {
    /// Nothing: it is played as recorded.
    Still,
    /// The time since the device was started.
    UpTime,
    /// The device's own serial number, name or hardware address stand in it.
    Identity,
    /// The device's name.
    Name,
    /// A hardware address.
    Mac,
    /// Pages, in the unit of the marker.
    LifeCount(Unit),
    /// Pages since the device was started, in the unit of the marker.
    SincePowerOn(Unit),
    /// A maker's meter.
    Meter(Meter),
    /// Brother's block of counters.
    BrotherCounters,
    /// Brother's flag of the toner.
    BrotherToner,
    /// Zebra's printed length.
    ZebraLength,
    /// The level of a supply, by its place in [`Machine::supplies`].
    Level(usize),
    /// The level of a tray, by its place in [`Machine::trays`].
    TrayLevel(usize),
    /// The status of a tray.
    TrayStatus(usize),
    /// Whether the cover is open.
    CoverStatus,
    /// hrDeviceStatus of the printer.
    DeviceStatus,
    /// hrPrinterStatus.
    PrinterStatus,
    /// hrPrinterDetectedErrorState.
    ErrorState,
    /// How many critical alerts there were since the start.
    CriticalEvents,
    /// How many alerts there were since the start.
    AllEvents,
    /// The first line of the console.
    Console,
}

/// The unit of a marker's counters, as far as the simulator moves it (PrtMarkerCounterUnitTC).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Impressions (7), or sheets (8) as some makers say for the same.
    Pages,
    /// Feet (16): a label of half a foot each.
    Feet,
    /// Meters (17): a label of a sixth of a meter each.
    Meters,
}

/// What is known of a supply.
#[derive(Debug)]
pub(crate) struct Supply {
    /// Its row.
    pub(crate) row: u32,
    /// prtMarkerSuppliesMaxCapacity.
    pub(crate) capacity: i64,
    /// prtMarkerSuppliesLevel as recorded.
    pub(crate) recorded: i64,
    /// What it is.
    pub(crate) kind: Kind,
    /// Whether only color pages use it.
    pub(crate) color_only: bool,
    /// How many pages a full one lasts, at five percent coverage.
    pub(crate) yield_pages: u64,
    /// Its name, for the console and the alerts.
    pub(crate) text: String,
}

/// What a supply is, as far as its alerts differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Toner, or a cartridge of it.
    Toner,
    /// Ink, or a cartridge of it.
    Ink,
    /// A ribbon.
    Ribbon,
    /// A photoconductor.
    Drum,
    /// A box for used toner.
    WasteToner,
    /// A box for used ink.
    WasteInk,
    /// Anything else that wears.
    Part,
}

/// What is known of a tray.
#[derive(Debug)]
pub(crate) struct Tray {
    /// Its row.
    pub(crate) row: u32,
    /// prtInputMaxCapacity.
    pub(crate) capacity: i64,
    /// prtInputCurrentLevel as recorded.
    pub(crate) recorded: i64,
    /// Whether it is fed by hand: never taken by a job.
    pub(crate) manual: bool,
    /// Its name, for the console and the alerts.
    pub(crate) name: String,
}

impl Supply {
    /// Whether it is used up: a level that the device does not know (-2) never moves.
    pub(crate) fn moves(&self) -> bool {
        self.recorded == -3 || (self.capacity > 0 && !(-2..=-1).contains(&self.recorded))
    }
}

impl Tray {
    /// Whether it empties: not one of unknown level, and not one fed by hand.
    pub(crate) fn moves(&self) -> bool {
        !self.manual && self.capacity > 0 && (self.recorded >= 0 || self.recorded == -3)
    }
}

impl Machine {
    /// A machine that answers exactly as recorded.
    pub(crate) fn frozen(recording: &Recording) -> Self {
        let mut machine = Self::still(recording);
        machine.find_identity(recording);
        machine
    }

    /// A machine whose printer lives.
    pub(crate) fn living(recording: &Recording) -> Self {
        let mut machine = Self::frozen(recording);
        machine.printer = recording
            .iter()
            .find_map(|(oid, _)| tail(oid, mib::PRINTER_STATUS).and_then(|tail| tail.first()))
            .copied();
        machine.find_parts(recording);
        let alive = machine.printer.is_some();
        // The alerts come from the life; those of the recording are over.
        if alive {
            machine
                .objects
                .retain(|object| tail(&object.oid, mib::ALERT).is_none());
        }
        let lives: Vec<Live> = machine
            .objects
            .iter()
            .map(|object| machine.live_of(&object.oid, recording, object.live))
            .collect();
        for (object, live) in machine.objects.iter_mut().zip(lives) {
            object.live = live;
        }
        let meters = machine
            .objects
            .iter()
            .filter_map(|object| match object.live {
                Live::Meter(meter) => Some(meter),
                _ => None,
            });
        let meters: Vec<Meter> = meters.collect();
        machine.copies = meters.iter().any(|meter| mib::counts_copies(*meter));
        machine.sizes = meters.iter().any(|meter| mib::tells_sizes(*meter));
        machine
    }

    fn still(recording: &Recording) -> Self {
        let objects = recording.iter().map(|(oid, value)| Object {
            oid: oid.clone(),
            value: value.clone(),
            live: Live::Still,
        });
        Self {
            objects: objects.collect(),
            supplies: Vec::new(),
            trays: Vec::new(),
            cover: None,
            printer: None,
            copies: false,
            sizes: false,
            color: false,
            empty_level: 0,
            serial: Vec::new(),
            mac: None,
            name: Vec::new(),
        }
    }

    /// The object at exactly this instance.
    pub(crate) fn get(&self, oid: &Oid) -> Option<&Object> {
        let at = self.objects.binary_search_by(|object| object.oid.cmp(oid));
        at.ok().and_then(|at| self.objects.get(at))
    }

    /// The first object behind an instance, and all that follow.
    pub(crate) fn after(&self, oid: &Oid) -> &[Object] {
        let at = self.objects.partition_point(|object| object.oid <= *oid);
        self.objects.get(at..).unwrap_or(&[])
    }

    /// How many objects there are.
    #[cfg(test)]
    pub(crate) fn objects(&self) -> &[Object] {
        &self.objects
    }

    fn find_identity(&mut self, recording: &Recording) {
        let text = |arcs: &[u32]| match recording.get(&Oid::new(arcs)) {
            Some(Value::OctetString(text)) if !text.is_empty() => Some(text.clone()),
            _ => None,
        };
        self.name = text(mib::NAME).unwrap_or_default();
        let general = recording.iter().find_map(|(oid, value)| match value {
            Value::OctetString(text) if tail(oid, mib::GENERAL)?.first() == Some(&17) => {
                Some(text.clone()).filter(|text| !text.is_empty())
            }
            _ => None,
        });
        let private = mib::SERIALS.iter().find_map(|arcs| text(arcs));
        self.serial = general.or(private).unwrap_or_default();
        self.mac = recording.iter().find_map(|(oid, value)| match value {
            Value::OctetString(octets) if tail(oid, mib::PHYS_ADDRESS).is_some() => {
                octets.as_slice().try_into().ok()
            }
            _ => None,
        });
        let tokens = crate::identity::tokens(&self.serial, self.mac, &self.name);
        for object in &mut self.objects {
            let Value::OctetString(octets) = &object.value else {
                continue;
            };
            let is_name = *octets == self.name && self.name != self.serial;
            if tail(&object.oid, mib::PHYS_ADDRESS).is_some() {
                object.live = Live::Mac;
            } else if object.oid.arcs() == mib::NAME || is_name {
                object.live = Live::Name;
            } else if tokens
                .iter()
                .any(|token| crate::identity::holds(octets, token))
            {
                object.live = Live::Identity;
            }
        }
    }

    fn find_parts(&mut self, recording: &Recording) {
        let Some(printer) = self.printer else { return };
        let cell = |table: &[u32], column: u32, row: u32| {
            recording.get(&Oid::new(table).with(&[column, printer, row]))
        };
        let number = |table: &[u32], column, row| match cell(table, column, row) {
            Some(Value::Integer(number)) => *number,
            _ => -2,
        };
        let words = |table: &[u32], column, row| match cell(table, column, row) {
            Some(Value::OctetString(text)) => clean(text),
            _ => String::new(),
        };
        for row in rows(recording, mib::SUPPLY, 9, printer) {
            let colorant = Oid::new(mib::COLORANT_VALUE).with(&[
                printer,
                u32::try_from(number(mib::SUPPLY, 3, row)).unwrap_or(0),
            ]);
            let color_only = matches!(recording.get(&colorant),
                Some(Value::OctetString(text)) if !text.eq_ignore_ascii_case(b"black"));
            let kind = kind_of(number(mib::SUPPLY, 5, row));
            let capacity = number(mib::SUPPLY, 8, row);
            let recorded = number(mib::SUPPLY, 9, row);
            if recorded < -3 {
                self.empty_level = recorded;
            }
            self.color |= color_only;
            let counts_pages = number(mib::SUPPLY, 7, row) == 7 && capacity > 0;
            self.supplies.push(Supply {
                row,
                capacity,
                recorded,
                kind,
                color_only,
                yield_pages: u64::try_from(capacity)
                    .ok()
                    .filter(|_| counts_pages)
                    .unwrap_or_else(|| usual_yield(kind)),
                text: words(mib::SUPPLY, 6, row),
            });
        }
        for row in rows(recording, mib::INPUT, 10, printer) {
            self.trays.push(Tray {
                row,
                capacity: number(mib::INPUT, 9, row),
                recorded: number(mib::INPUT, 10, row),
                manual: number(mib::INPUT, 2, row) == 5,
                name: words(mib::INPUT, 13, row),
            });
        }
        self.cover = rows(recording, mib::COVER, 3, printer)
            .first()
            .map(|row| (*row, words(mib::COVER, 2, *row)));
    }

    fn live_of(&self, oid: &Oid, recording: &Recording, before: Live) -> Live {
        if oid.arcs() == mib::UP_TIME || oid.arcs() == mib::HOST_UP_TIME {
            return Live::UpTime;
        }
        let Some(printer) = self.printer else {
            return before;
        };
        if let Some(live) = self.standard(oid, recording, printer) {
            return live;
        }
        match oid.arcs() {
            mib::BROTHER_COUNTERS => return Live::BrotherCounters,
            mib::BROTHER_TONER => return Live::BrotherToner,
            mib::BROTHER_CONSOLE => return Live::Console,
            mib::ZEBRA_LENGTH => return Live::ZebraLength,
            _ => {}
        }
        if let Some([row]) = tail(oid, mib::RICOH_LEVEL) {
            let supply = self.supplies.iter().position(|supply| supply.row == *row);
            return supply.map_or(before, Live::Level);
        }
        mib::meter_at(oid, |other| recording.get(other)).map_or(before, Live::Meter)
    }

    /// What moves an object of the standard MIBs.
    fn standard(&self, oid: &Oid, recording: &Recording, printer: u32) -> Option<Live> {
        let of_printer = |root| tail(oid, root) == Some(&[printer]);
        if of_printer(mib::DEVICE_STATUS) {
            return Some(Live::DeviceStatus);
        }
        if of_printer(mib::PRINTER_STATUS) {
            return Some(Live::PrinterStatus);
        }
        if of_printer(mib::ERROR_STATE) {
            return Some(Live::ErrorState);
        }
        if let Some([_, 1]) = tail(oid, mib::CONSOLE) {
            return Some(Live::Console);
        }
        if let Some([column, _]) = tail(oid, mib::GENERAL) {
            return match column {
                18 => Some(Live::CriticalEvents),
                19 => Some(Live::AllEvents),
                _ => None,
            };
        }
        if let Some([9, _, row]) = tail(oid, mib::SUPPLY) {
            let at = self.supplies.iter().position(|supply| supply.row == *row);
            return at.filter(|at| self.supplies[*at].moves()).map(Live::Level);
        }
        if let Some([column @ (10 | 11), _, row]) = tail(oid, mib::INPUT) {
            let at = self.trays.iter().position(|tray| tray.row == *row)?;
            let live = if *column == 10 {
                Live::TrayLevel(at)
            } else {
                Live::TrayStatus(at)
            };
            return self.trays[at].moves().then_some(live);
        }
        if let Some([3, _, row]) = tail(oid, mib::COVER) {
            let is_first = self.cover.as_ref().is_some_and(|(first, _)| first == row);
            return is_first.then_some(Live::CoverStatus);
        }
        if let Some([column @ (4 | 5), device, row]) = tail(oid, mib::MARKER) {
            let unit = Oid::new(mib::MARKER).with(&[3, *device, *row]);
            let unit = match recording.get(&unit) {
                Some(Value::Integer(7 | 8)) => Unit::Pages,
                Some(Value::Integer(16)) => Unit::Feet,
                Some(Value::Integer(17)) => Unit::Meters,
                _ => return None,
            };
            return Some(if *column == 4 {
                Live::LifeCount(unit)
            } else {
                Live::SincePowerOn(unit)
            });
        }
        None
    }
}

fn tail<'a>(oid: &'a Oid, root: &[u32]) -> Option<&'a [u32]> {
    oid.arcs().strip_prefix(root)
}

/// The rows that have this column.
fn rows(recording: &Recording, table: &[u32], column: u32, printer: u32) -> Vec<u32> {
    let cells = recording
        .iter()
        .filter_map(|(oid, _)| match tail(oid, table) {
            Some([at, device, row]) if *at == column && *device == printer => Some(*row),
            _ => None,
        });
    cells.collect()
}

/// The text without what makers put around it: symbol sets, NUL, blanks at the end.
fn clean(text: &[u8]) -> String {
    let text = text.strip_prefix(b"\x01\x15").unwrap_or(text);
    let text = String::from_utf8_lossy(text);
    text.trim_matches(|c: char| c.is_control() || c == ' ')
        .to_owned()
}

/// What a supply of this type is (PrtMarkerSuppliesTypeTC).
fn kind_of(supply_type: i64) -> Kind {
    match supply_type {
        3 | 21 | 35 => Kind::Toner,
        5 | 6 | 36 => Kind::Ink,
        7 => Kind::Ribbon,
        9 => Kind::Drum,
        4 => Kind::WasteToner,
        8 => Kind::WasteInk,
        _ => Kind::Part,
    }
}

/// How many pages a supply lasts whose capacity is not in pages: the order of magnitude of the
/// yields that makers print on the box.
fn usual_yield(kind: Kind) -> u64 {
    match kind {
        Kind::Toner | Kind::Ink => 8_000,
        Kind::Ribbon => 4_000,
        Kind::Drum => 60_000,
        Kind::WasteToner | Kind::WasteInk => 40_000,
        Kind::Part => 200_000,
    }
}
