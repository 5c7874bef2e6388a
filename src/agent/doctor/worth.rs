//! What is the matter with the values of a printer that is read: one of them, or all. Pure.

use printer::doctor::{How, State, Value};

use super::facts::{Agent, Printer};
use super::judge::{Cause, Diagnosis};

/// What to do where only the device's own words would help.
const RECORD_IT: &str = "make a recording and report it: platen read ADDRESS --record FILE";

/// Why this value is not there, or what it is worth.
pub(super) fn of_one(printer: &Printer, wanted: &str) -> Option<Diagnosis> {
    let is_it = |value: &&Value| {
        let is_kind = wanted == "supplies" && value.kind == "supply";
        is_kind || value.name.eq_ignore_ascii_case(wanted)
    };
    let found = printer.values.iter().filter(is_it);
    let Some(value) = found.max_by_key(|value| bad(value.state)) else {
        return Some(unheard_of(printer, wanted));
    };
    of_value(printer, value, State::Failed)
}

/// The worst of everything, beginning with what makes the rest uncertain.
pub(super) fn of_all(printer: &Printer, agent: Option<&Agent>) -> Option<Diagnosis> {
    if let Some(trouble) = &printer.trouble {
        return Some(Diagnosis::new(
            (Cause::NotWhole, State::Warning),
            "the reading is not whole",
            trouble,
            "see whether newer firmware is there for it",
        ));
    }
    if let Some(Agent::Away(why)) = agent {
        return Some(Diagnosis::new(
            (Cause::AgentAway, State::Warning),
            "it can be read, and no agent reads it",
            why,
            "start the agent: platen run",
        ));
    }
    let is_total = |value: &&Value| value.name == "total" && bad(value.state) > bad(How::Beta);
    if let Some(total) = printer.values.iter().find(is_total) {
        return of_value(printer, total, State::Warning);
    }
    if printer.profile.is_none() {
        return Some(no_profile(printer, State::Warning));
    }
    // What a profile knows of other models is not missing here.
    let counts = printer.values.iter().filter(|it| it.state != How::Missing);
    let worst = counts.max_by_key(|value| bad(value.state))?;
    of_value(printer, worst, State::Warning)
}

fn bad(how: How) -> u8 {
    match how {
        How::Ok => 0,
        How::Beta => 1,
        How::Missing => 2,
        How::Unknown => 3,
        How::Refused => 4,
    }
}

/// One value; `state` is how bad it is that it is missing.
fn of_value(printer: &Printer, value: &Value, state: State) -> Option<Diagnosis> {
    let name = &value.name;
    let why = match value.raw.as_str() {
        "" | "absent" => value.why.clone(),
        raw => format!("{}: {} = {raw}", value.why, value.object),
    };
    let (cause, state, what, next) = match value.state {
        How::Ok => return None,
        How::Beta => (
            Cause::Beta,
            State::Warning,
            format!("'{name}' is there and not proven"),
            "compare it with the printer's own counter page, and report what you find",
        ),
        How::Unknown => (
            Cause::ValueUnknown,
            state,
            format!("the printer does not say '{name}'"),
            "look at the printer's own page: what that does not show, nobody can read",
        ),
        How::Refused => (
            Cause::ValueRefused,
            state,
            format!("the printer would not answer for '{name}'"),
            "let the credential read the whole MIB, at the printer",
        ),
        How::Missing if printer.profile.is_none() => return Some(no_profile(printer, state)),
        How::Missing => (
            Cause::NotInMib,
            state,
            format!("there is no '{name}' in what the printer tells"),
            RECORD_IT,
        ),
    };
    Some(Diagnosis::new((cause, state), what, why, next))
}

/// A value that neither the standard nor the profile knows of this device.
fn unheard_of(printer: &Printer, wanted: &str) -> Diagnosis {
    let Some(profile) = &printer.profile else {
        return no_profile(printer, State::Failed);
    };
    Diagnosis::new(
        (Cause::NotInMib, State::Failed),
        format!("nothing tells '{wanted}' of this printer"),
        format!("neither the standard nor the profile {profile} knows an object for it"),
        RECORD_IT,
    )
}

fn no_profile(printer: &Printer, state: State) -> Diagnosis {
    Diagnosis::new(
        (Cause::NoProfile, state),
        "it is read by the standard alone: no profile knows this maker's own objects",
        &printer.profile_why,
        RECORD_IT,
    )
}
