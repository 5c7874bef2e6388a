//! What stands behind the verbs of `cmd`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use jiff::SignedDuration;
use printer::identity::DeviceId;
use printer::lpr::Queue;
use printer::zebra::{Command, NoCommand, Setting, StoredLabel};

use crate::cli::complaint::{Complaint, Exit};
use crate::door::command::order::Order;

/// What every order takes.
#[derive(Debug, Args)]
pub(in crate::cli) struct Given {
    /// Why: stands in the site's log and in the hub's store
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: String,
    /// How long it is good for: an agent that gets it later does nothing
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = time)]
    pub(super) expires: Duration,
    /// Print the command's id and end, without waiting for what comes of it
    #[arg(long)]
    pub(super) no_wait: bool,
    /// The outcome as JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// What the hub configures.
#[derive(Debug, Args)]
pub(in crate::cli) struct ConfigureArgs {
    /// Time between two full readings of a printer
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(super) read_every: Option<Duration>,
    /// Time between two status readings of a printer
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(super) status_every: Option<Duration>,
    /// Time between two sweeps of a subnet
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(super) discover_every: Option<Duration>,
    /// A subnet, in place of the site's own; may stand several times
    #[arg(long, value_name = "LABEL=ADDRESSES", value_parser = list)]
    pub(super) range: Vec<(String, Vec<String>)>,
    /// What of a subnet is left alone
    #[arg(long, value_name = "LABEL=ADDRESSES", value_parser = list)]
    pub(super) exclude: Vec<(String, Vec<String>)>,
    /// The credentials of a subnet, by name
    #[arg(long = "use", value_name = "LABEL=NAMES", value_parser = list)]
    pub(super) using: Vec<(String, Vec<String>)>,
    /// A community of version 2c, read from a file and sealed to the agent
    #[arg(long, value_name = "NAME=FILE", value_parser = file)]
    pub(super) credential: Vec<(String, PathBuf)>,
    /// The same of version 1
    #[arg(long, value_name = "NAME=FILE", value_parser = file)]
    pub(super) credential_v1: Vec<(String, PathBuf)>,
    /// A user of version 3, sealed in the same way: a TOML file with user, auth, auth_password,
    /// priv, priv_password and context
    #[arg(long, value_name = "NAME=FILE", value_parser = file)]
    pub(super) credential_v3: Vec<(String, PathBuf)>,
}

/// What a Zebra is told.
#[derive(Debug, Args)]
pub(in crate::cli) struct ZebraArgs {
    /// The printer, by device id
    #[arg(value_parser = device)]
    device: DeviceId,
    /// What to do
    action: ZebraWord,
    /// set-variable: print.tone, media.speed, ezpl.print_width, zpl.label_length or
    /// odometer.headclean
    #[arg(long, value_name = "NAME")]
    variable: Option<String>,
    /// set-variable: to what
    #[arg(long, value_name = "NUMBER")]
    value: Option<String>,
    /// send-stored-label: which, as SHIPPING or E:SHIPPING.ZPL
    #[arg(long, value_name = "NAME")]
    label: Option<String>,
}

/// The words of the closed list.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum ZebraWord {
    Calibrate,
    Feed,
    PrintConfiguration,
    Reset,
    SetVariable,
    SendStoredLabel,
}

impl ZebraArgs {
    /// The order, if everything is there that it needs.
    pub(super) fn order(&self) -> Result<Order, Complaint> {
        let wrong = |why: NoCommand| {
            Complaint::new(Exit::FAILED, why.to_string())
                .try_next("docs/howto/zebra.md lists what a Zebra can be told")
        };
        let command = match self.action {
            ZebraWord::Calibrate => Command::Calibrate,
            ZebraWord::Feed => Command::Feed,
            ZebraWord::PrintConfiguration => Command::PrintConfiguration,
            ZebraWord::Reset => Command::Reset,
            ZebraWord::SendStoredLabel => {
                let Some(label) = &self.label else {
                    return Err(Complaint::new(Exit::FAILED, "which of its stored labels?")
                        .try_next("add --label NAME"));
                };
                Command::PrintStored(StoredLabel::parse(label).map_err(wrong)?)
            }
            ZebraWord::SetVariable => {
                let (Some(variable), Some(value)) = (&self.variable, &self.value) else {
                    return Err(Complaint::new(Exit::FAILED, "which variable, and to what?")
                        .try_next("add --variable NAME --value NUMBER"));
                };
                Command::Set(Setting::parse(variable, value).map_err(wrong)?)
            }
        };
        Ok(Order::Zebra {
            device: self.device.clone(),
            command,
        })
    }
}

/// A queue's name.
pub(super) fn queue(text: &str) -> Result<Queue, String> {
    Queue::parse(text).map_err(|error| error.to_string())
}

/// A value's name.
pub(super) fn value(text: &str) -> Result<String, String> {
    crate::door::command::order::value_name(text)
}

/// A device's id.
pub(super) fn device(text: &str) -> Result<DeviceId, String> {
    DeviceId::parse(text).ok_or_else(|| {
        "write the 32 hex digits that platen-hub printer ls --json calls device".to_owned()
    })
}

/// A time as `90s`, `10m`, `2h` or `1h 30m`.
fn time(text: &str) -> Result<Duration, String> {
    let parsed = text.parse::<SignedDuration>().ok();
    let time = parsed.and_then(|time| Duration::try_from(time).ok());
    time.ok_or_else(|| "write a time as 90s, 10m or 2h".to_owned())
}

/// `LABEL=A,B`.
fn list(text: &str) -> Result<(String, Vec<String>), String> {
    let (label, items) = text
        .split_once('=')
        .filter(|(label, items)| !label.is_empty() && !items.is_empty())
        .ok_or("write LABEL=ONE,OTHER")?;
    Ok((
        label.to_owned(),
        items.split(',').map(str::to_owned).collect(),
    ))
}

/// `NAME=FILE`.
fn file(text: &str) -> Result<(String, PathBuf), String> {
    let (name, file) = text
        .split_once('=')
        .filter(|(name, file)| !name.is_empty() && !file.is_empty())
        .ok_or("write NAME=FILE")?;
    Ok((name.to_owned(), PathBuf::from(file)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_lists_are_read_as_people_write_them() {
        assert_eq!(time("10m"), Ok(Duration::from_mins(10)));
        assert_eq!(time("1h 30m"), Ok(Duration::from_mins(90)));
        assert!(time("soon").is_err() && time("-1m").is_err());
        let both = vec!["10.0.0.0/24".to_owned(), "10.0.1.7".to_owned()];
        assert_eq!(
            list("lyon=10.0.0.0/24,10.0.1.7"),
            Ok(("lyon".to_owned(), both))
        );
        assert!(list("lyon").is_err() && list("=10.0.0.1").is_err());
        assert!(file("office=").is_err());
    }
}
