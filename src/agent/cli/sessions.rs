//! `platen sessions`: who is at a printer's web page through this agent, may be, and was.

use std::fmt::Write;
use std::path::Path;

use actors::messages::Verdict;
use actors::tunnel::{SessionStatus, Stage};
use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::running::ConfigArgs;
use super::status::unreached;
use super::table::{grouped, json, printable};
use super::{CliError, Exit};
use crate::control::{self, Answer, ControlError, Question};

/// Arguments of `platen sessions`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct SessionsArgs {
    #[command(subcommand)]
    verb: Option<SessionsVerb>,
    #[command(flatten)]
    list: ListArgs,
}

/// What can be done with sessions.
#[derive(Debug, Subcommand)]
enum SessionsVerb {
    /// Show those that wait for approval, live, or have ended lately
    List(ListArgs),
    /// Let a session be that waits for approval
    Approve(DecideArgs),
    /// Do not let it be
    Refuse(DecideArgs),
    /// End a session, or all
    End(EndArgs),
}

/// Arguments of `platen sessions list`.
#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Arguments of `platen sessions approve` and `refuse`.
#[derive(Debug, Args)]
struct DecideArgs {
    /// Which: its id, as the list shows it
    session: String,
    /// Who decides: one of [web_access] approvers
    #[arg(long, value_name = "NAME")]
    by: String,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Arguments of `platen sessions end`.
#[derive(Debug, Args)]
struct EndArgs {
    /// Which: its id, as the list shows it
    #[arg(required_unless_present = "all")]
    session: Option<String>,
    /// Every session, also those that wait
    #[arg(long, conflicts_with = "session")]
    all: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Shows sessions, decides about them, ends them.
///
/// # Errors
/// [`CliError`] when no agent runs, or it says why not.
pub async fn run(args: SessionsArgs) -> Result<Exit, CliError> {
    match args.verb {
        None => list(args.list).await,
        Some(SessionsVerb::List(list_args)) => list(list_args).await,
        Some(SessionsVerb::Approve(decide_args)) => decide(decide_args, Verdict::Approve).await,
        Some(SessionsVerb::Refuse(decide_args)) => decide(decide_args, Verdict::Refuse).await,
        Some(SessionsVerb::End(end_args)) => end(end_args).await,
    }
}

async fn list(args: ListArgs) -> Result<Exit, CliError> {
    let answer = ask(&args.config, Question::Sessions {}, "").await?;
    let Answer::Sessions(sessions) = answer else {
        return Err(odd());
    };
    if args.json {
        let text = json(&sessions);
        let text = text.map_err(|error| CliError::new(Exit::FAILED, error.to_string()))?;
        println!("{text}");
    } else {
        print!("{}", text(&sessions, Timestamp::now()));
    }
    Ok(Exit::OK)
}

async fn decide(args: DecideArgs, verdict: Verdict) -> Result<Exit, CliError> {
    let DecideArgs {
        session,
        by,
        config,
    } = args;
    let question = Question::Decide {
        session: session.clone(),
        by,
        verdict,
    };
    let next = "platen sessions shows which wait; platen config show, who may decide";
    ask(&config, question, next).await?;
    let done = match verdict {
        Verdict::Approve => "approved: the tunnel opens now",
        Verdict::Refuse => "refused",
    };
    println!("{} {done}", printable(&session));
    Ok(Exit::OK)
}

async fn end(args: EndArgs) -> Result<Exit, CliError> {
    let question = Question::EndSessions {
        session: args.session.clone(),
    };
    let answer = ask(&args.config, question, "platen sessions shows which live").await?;
    match (answer, args.session) {
        (Answer::Ended(0), Some(session)) => {
            let what = format!("no session {} lives or waits here", printable(&session));
            Err(CliError::new(Exit::NOTHING, what).try_next("platen sessions shows which do"))
        }
        (Answer::Ended(ended), _) => {
            println!("{ended} ended");
            Ok(Exit::OK)
        }
        _ => Err(odd()),
    }
}

async fn ask(config: &ConfigArgs, question: Question, next: &str) -> Result<Answer, CliError> {
    let state_dir = config.load()?.state_dir;
    let answered = control::ask(&state_dir, &question).await;
    answered.map_err(|error| refused(&state_dir, error, next))
}

fn refused(state_dir: &Path, error: ControlError, next: &str) -> CliError {
    match error {
        ControlError::Refused(why) => CliError::new(Exit::REFUSED, "the agent does not do it")
            .because(printable(&why))
            .try_next(next),
        other => unreached(state_dir, other),
    }
}

fn odd() -> CliError {
    CliError::new(Exit::FAILED, "the agent answers something else")
        .because("it may be of another version than this program")
        .try_next("start it again with this version")
}

/// Sessions for people, four lines each. What the hub said is made harmless for a terminal.
fn text(sessions: &[SessionStatus], now: Timestamp) -> String {
    if sessions.is_empty() {
        return "no sessions\n".to_owned();
    }
    let mut text = String::new();
    for session in sessions {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}  {}", session.session, stage(session, now));
        let _ = writeln!(
            text,
            "  port {} of {}{}",
            session.port,
            session.device,
            kind(session)
        );
        let approved = session.approved_by.as_deref();
        let approved = approved.map(|by| format!(" · approved by {}", printable(by)));
        let _ = writeln!(
            text,
            "  {}: {}{}",
            printable(&session.issuer),
            printable(&session.reason),
            approved.unwrap_or_default()
        );
        if session.connections > 0 || session.refused > 0 {
            let _ = writeln!(
                text,
                "  {} connections, {} refused · {} bytes to the printer, {} from it",
                session.connections,
                session.refused,
                grouped(session.sent),
                grouped(session.received)
            );
        }
    }
    text
}

fn stage(session: &SessionStatus, now: Timestamp) -> String {
    let until = session.until;
    let left = until.duration_since(now).as_secs().max(0);
    let left = format!("{} min {} s", left / 60, left % 60);
    match session.stage {
        Stage::Waits => format!("waits for approval, {left} more"),
        Stage::Opens => "opens".to_owned(),
        Stage::Open => format!("open, {left} more"),
        Stage::Ended => {
            let why = session.end.as_ref().map(|end| printable(&end.why));
            let at = session.ended_at.unwrap_or(session.since);
            format!(
                "ended {}: {}",
                at.strftime("%Y-%m-%d %H:%M:%SZ"),
                why.unwrap_or_default()
            )
        }
    }
}

fn kind(session: &SessionStatus) -> &'static str {
    match (session.is_read_only, session.is_fallback) {
        (false, false) => "",
        (true, false) => " · read only",
        (false, true) => " · plain HTTP",
        (true, true) => " · read only · plain HTTP",
    }
}

#[cfg(test)]
mod tests {
    use actors::tunnel::ending::{Cause, End};
    use printer::identity::DeviceId;

    use super::*;

    #[test]
    fn a_session_is_told_with_its_reason_and_cannot_steer_the_terminal() {
        let now: Timestamp = "2026-11-25T08:00:00Z".parse().expect("an instant");
        let open = SessionStatus {
            session: "a1".repeat(16),
            stage: Stage::Open,
            device: DeviceId::parse(&"b2".repeat(16)).expect("an id"),
            port: 443,
            issuer: "m.dupont".to_owned(),
            reason: "toner \u{1b}[31mlow".to_owned(),
            is_read_only: true,
            is_fallback: false,
            approved_by: Some("a.morel".to_owned()),
            since: now,
            until: now + std::time::Duration::from_secs(95),
            connections: 3,
            connections_open: 1,
            refused: 1,
            sent: 1_234,
            received: 98_765,
            end: None,
            ended_at: None,
        };
        let ended = SessionStatus {
            stage: Stage::Ended,
            end: Some(End::new(Cause::Idle, "nothing moved for 60 s")),
            ended_at: Some(now),
            ..open.clone()
        };
        let told = text(&[open, ended], now);
        let lines: Vec<&str> = told.lines().collect();
        assert!(lines[0].ends_with("open, 1 min 35 s more"), "{told}");
        assert!(lines[1].ends_with("read only"), "{told}");
        assert!(lines[2].contains("approved by a.morel"), "{told}");
        assert!(lines[3].starts_with("  3 connections, 1 refused"), "{told}");
        assert!(
            lines[4].ends_with("ended 2026-11-25 08:00:00Z: nothing moved for 60 s"),
            "{told}"
        );
        assert!(!told.contains('\u{1b}'));
    }
}
