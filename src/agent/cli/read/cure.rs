//! What a person does about a printer that refuses a user of SNMP version 3, one step a refusal.
//! docs/reference/snmpv3.md has the same in its table of what a device may say.

use snmp::usm::{Level, Refusal};

/// The step after this refusal, in words of the command line.
pub(super) fn of(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::UnknownUser => {
            "compare --v3-user with the names of the users that are set on the printer, letter by \
             letter"
        }
        Refusal::WrongDigest(_) => {
            "compare --v3-auth and the password in --v3-auth-password-file with what is set on the \
             printer"
        }
        Refusal::Undecipherable(_) => {
            "compare --v3-priv and the password in --v3-priv-password-file with what is set on the \
             printer; for aes192 and aes256 try aes192c and aes256c as well"
        }
        Refusal::Unanswered(level) => unanswered(*level),
        Refusal::UnsupportedLevel(level) => unsupported(*level),
        Refusal::NotAuthorized(level) => unauthorized(*level),
        Refusal::UnknownContext => {
            "compare --v3-context with the printer's: most have none and want the option left out, \
             some of HP's have Jetdirect"
        }
        Refusal::ClockJumps => {
            "restart the printer, and update its firmware if that does not help: SNMPv3 needs a \
             clock that runs on"
        }
        Refusal::BootsLatched => {
            "delete the SNMPv3 settings on the printer and set them up anew; a restart does not help"
        }
        Refusal::EngineChanges => {
            "see that no other device has its address, then update the printer's firmware"
        }
        Refusal::UnknownModel => {
            "set up a user of SNMPv3 on the printer, or leave out --v3-user and name a community: \
             --community C"
        }
        Refusal::Other(_) | Refusal::Unnamed => {
            "look into the printer's own log, and compare the --v3 options with its SNMPv3 settings"
        }
    }
}

/// What is silent at a level: an engine drops what it cannot decrypt, or what it may not take.
fn unanswered(level: Level) -> &'static str {
    match level {
        Level::NoAuthNoPriv => {
            "compare --v3-user with the users that are set on the printer; one that has passwords \
             there needs --v3-auth, and perhaps --v3-priv"
        }
        Level::AuthNoPriv => {
            "compare --v3-auth and the password in --v3-auth-password-file with what is set on the \
             printer, and see whether the user needs --v3-priv there"
        }
        Level::AuthPriv => {
            "compare --v3-priv and the password in --v3-priv-password-file with what is set on the \
             printer; leave --v3-priv out where the user has no privacy there"
        }
    }
}

/// What a user has no key for.
fn unsupported(level: Level) -> &'static str {
    match level {
        Level::NoAuthNoPriv => "name the user's --v3-auth, and its --v3-priv if it has one there",
        Level::AuthNoPriv => {
            "give the user an authentication password on the printer, or leave out --v3-auth"
        }
        Level::AuthPriv => {
            "give the user a privacy password on the printer, or leave out --v3-priv"
        }
    }
}

/// What a user may not read.
fn unauthorized(level: Level) -> &'static str {
    match level {
        Level::NoAuthNoPriv => {
            "add --v3-auth with the user's password, and --v3-priv if the printer asks for that too"
        }
        Level::AuthNoPriv => {
            "add --v3-priv with the user's privacy password: the printer asks for it"
        }
        Level::AuthPriv => {
            "let the user read on the printer: its access, group or view is too small"
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use snmp::Oid;

    use super::*;

    /// Every refusal, with what its step has to name and what it must not.
    fn table() -> Vec<(Refusal, &'static str, &'static str)> {
        use Level::{AuthNoPriv, AuthPriv, NoAuthNoPriv};
        let oid = Box::new(Oid::new(&[1, 3, 6, 1]));
        vec![
            (Refusal::UnknownUser, "--v3-user", "password"),
            (
                Refusal::WrongDigest("sha256"),
                "--v3-auth-password-file",
                "priv",
            ),
            (
                Refusal::Undecipherable("aes256"),
                "--v3-priv-password-file",
                "auth",
            ),
            (Refusal::Unanswered(NoAuthNoPriv), "--v3-auth", "context"),
            (
                Refusal::Unanswered(AuthNoPriv),
                "--v3-auth-password-file",
                "context",
            ),
            (
                Refusal::Unanswered(AuthPriv),
                "--v3-priv-password-file",
                "auth",
            ),
            (
                Refusal::UnsupportedLevel(NoAuthNoPriv),
                "--v3-auth",
                "leave out",
            ),
            (
                Refusal::UnsupportedLevel(AuthNoPriv),
                "leave out --v3-auth",
                "priv",
            ),
            (
                Refusal::UnsupportedLevel(AuthPriv),
                "leave out --v3-priv",
                "auth",
            ),
            (
                Refusal::NotAuthorized(NoAuthNoPriv),
                "add --v3-auth",
                "view",
            ),
            (Refusal::NotAuthorized(AuthNoPriv), "add --v3-priv", "view"),
            (Refusal::NotAuthorized(AuthPriv), "view", "--v3"),
            (Refusal::UnknownContext, "--v3-context", "password"),
            (Refusal::ClockJumps, "firmware", "password"),
            (
                Refusal::BootsLatched,
                "delete the SNMPv3 settings",
                "password",
            ),
            (
                Refusal::EngineChanges,
                "no other device has its address",
                "password",
            ),
            (Refusal::UnknownModel, "--community C", "password"),
            (Refusal::Other(oid), "log", "password"),
            (Refusal::Unnamed, "log", "password"),
        ]
    }

    #[test]
    fn each_refusal_has_the_step_that_cures_it() {
        let mut steps = BTreeSet::new();
        for (refusal, names, not) in table() {
            let step = of(&refusal);
            assert!(step.contains(names), "{refusal:?}: no '{names}' in: {step}");
            assert!(!step.contains(not), "{refusal:?}: '{not}' in: {step}");
            steps.insert(step);
        }
        let without_a_reason = 1;
        assert_eq!(steps.len() + without_a_reason, table().len(), "one each");
    }
}
