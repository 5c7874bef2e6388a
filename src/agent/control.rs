//! The local control of a running agent: a unix socket in the state folder, one JSON line each
//! way. No port, and nobody but the agent's own user.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use actors::Handle;
use actors::messages::Verdict;
use actors::site::Site;
use actors::status::StatusSnapshot;
use actors::tunnel::SessionStatus;
use actors::tunnel::ticket::SessionId;
use printer::identity::DeviceId;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing::{debug, warn};

use crate::site::Program;

/// The socket in the state folder.
const SOCKET: &str = "control.sock";
/// Mode of the socket: the agent's user alone.
const SOCKET_MODE: u32 = 0o600;
/// Longest question, in bytes: an order with a label in it.
const QUESTION_BYTES_MAX: u64 = 4096;
/// Longest answer, in bytes: a bundle of diagnostics as a text in JSON.
const ANSWER_BYTES_MAX: u64 = 1024 * 1024;
/// Longest that a question and its answer may take.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(10);
/// Conversations at once; more wait in the socket's own queue.
const CONVERSATIONS_MAX: usize = 8;

/// What never changes while the agent runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// What the configuration calls it.
    pub name: String,
    /// Of the program.
    pub version: String,
    /// What the hub calls it; absent for an agent that stands alone.
    pub enrolled_as: Option<String>,
}

/// The answer to [`Question::Status`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Who answers.
    #[serde(flatten)]
    pub about: About,
    /// How everyone is.
    #[serde(flatten)]
    pub snapshot: StatusSnapshot,
}

/// What can be asked.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Question {
    /// How is everyone?
    Status {},
    /// What would help those who help?
    Diagnostics {},
    /// Which sessions with printers' web pages are there?
    Sessions {},
    /// A person has decided about a session that waits.
    Decide {
        /// Which.
        session: String,
        /// Who has decided.
        by: String,
        /// How.
        verdict: Verdict,
    },
    /// End a session, or all.
    EndSessions {
        /// Which; all if absent.
        session: Option<String>,
    },
    /// Read a device again that was set aside.
    Release {
        /// Which.
        device: String,
    },
    /// Make an actor fail: in builds for tests only.
    #[cfg(feature = "provoke")]
    Provoke {
        /// Which: `uplink`, `scanner:LABEL` or `device:ID`.
        child: actors::messages::ChildId,
        /// How.
        fault: actors::messages::Fault,
    },
}

/// What is answered.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Answer {
    /// To [`Question::Status`].
    Status(Box<Status>),
    /// To [`Question::Diagnostics`]: the bundle.
    Diagnostics(Box<serde_json::Value>),
    /// To [`Question::Sessions`].
    Sessions(Vec<SessionStatus>),
    /// To [`Question::EndSessions`]: how many there were.
    Ended(u32),
    /// The order was carried out.
    Done {},
    /// Why there is no better answer.
    Error(String),
}

/// Why a running agent was not reached.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// No agent listens there.
    #[error("no agent runs on {state_dir}: {error}")]
    NotRunning {
        /// The state folder.
        state_dir: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// It does not answer in time, or not as agreed.
    #[error("the agent on {0} does not answer")]
    Silent(PathBuf),
    /// It answers that it cannot.
    #[error("the agent answers: {0}")]
    Refused(String),
}

/// The listening socket; dropping it stops listening.
#[derive(Debug)]
pub struct Control {
    task: JoinHandle<()>,
    path: PathBuf,
}

impl Drop for Control {
    fn drop(&mut self) {
        self.task.abort();
        // A socket file that stays is replaced by the next agent.
        let _ = fs::remove_file(&self.path);
    }
}

/// Listens in the state folder, which this process must have locked. An agent whose socket cannot
/// be made works all the same, so that is only logged.
pub fn listen(
    state_dir: &Path,
    about: About,
    (life, program): (Arc<Handle>, Program),
) -> Option<Control> {
    let path = state_dir.join(SOCKET);
    // The lock is ours, so a socket that is there is left over from an agent that was killed.
    let _ = fs::remove_file(&path);
    let bound = UnixListener::bind(&path).and_then(|listener| {
        fs::set_permissions(&path, fs::Permissions::from_mode(SOCKET_MODE))?;
        Ok(listener)
    });
    match bound {
        Ok(listener) => {
            let task = tokio::spawn(serve(listener, about, (life, program)));
            Some(Control { task, path })
        }
        Err(error) => {
            warn!(path = %path.display(), %error, "`platen status` will not reach this agent");
            None
        }
    }
}

async fn serve(listener: UnixListener, about: About, behind: (Arc<Handle>, Program)) {
    let permits = Arc::new(Semaphore::new(CONVERSATIONS_MAX));
    loop {
        // The semaphore is never closed.
        let Ok(permit) = permits.clone().acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let (about, behind) = (about.clone(), behind.clone());
                tokio::spawn(async move {
                    let conversed =
                        timeout(EXCHANGE_TIMEOUT, converse(stream, about, &behind)).await;
                    if !matches!(conversed, Ok(Ok(()))) {
                        debug!("a conversation on the control socket broke off");
                    }
                    drop(permit);
                });
            }
            Err(error) => {
                // For want of file descriptors, as a rule: others must end first.
                warn!(%error, "the control socket does not accept");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

/// One question, one answer.
async fn converse(
    stream: UnixStream,
    about: About,
    (life, program): &(Arc<Handle>, Program),
) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    BufReader::new(read.take(QUESTION_BYTES_MAX))
        .read_line(&mut line)
        .await?;
    let answer = match serde_json::from_str::<Question>(&line) {
        Ok(question) => answer(question, about, (life, program)).await,
        Err(error) => Answer::Error(format!("this is no question: {error}")),
    };
    let mut text = serde_json::to_string(&answer)?;
    text.push('\n');
    write.write_all(text.as_bytes()).await
}

async fn diagnostics(program: &Program) -> Answer {
    let bundle = program.diagnostics().await.map_err(|why| why.to_string());
    let bundle =
        bundle.and_then(|it| serde_json::from_slice(&it).map_err(|error| error.to_string()));
    match bundle {
        Ok(bundle) => Answer::Diagnostics(Box::new(bundle)),
        Err(why) => Answer::Error(why),
    }
}

async fn answer(question: Question, about: About, (life, program): (&Handle, &Program)) -> Answer {
    match question {
        Question::Status {} => match life.status().await {
            Ok(snapshot) => Answer::Status(Box::new(Status {
                about,
                snapshot: *snapshot,
            })),
            Err(error) => Answer::Error(error.to_string()),
        },
        Question::Diagnostics {} => diagnostics(program).await,
        Question::Sessions {} => match life.sessions().await {
            Ok(sessions) => Answer::Sessions(sessions),
            Err(error) => Answer::Error(error.to_string()),
        },
        Question::Decide {
            session,
            by,
            verdict,
        } => decide(life, &session, (by, verdict)).await,
        Question::EndSessions { session } => end(life, session.as_deref()).await,
        Question::Release { device } => release(life, &device).await,
        #[cfg(feature = "provoke")]
        Question::Provoke { child, fault } => match life.provoke(child.clone(), fault).await {
            Ok(true) => Answer::Done {},
            Ok(false) => Answer::Error(format!("no {child} lives")),
            Err(error) => Answer::Error(error.to_string()),
        },
    }
}

async fn decide(life: &Handle, session: &str, (by, verdict): (String, Verdict)) -> Answer {
    let Some(session) = SessionId::parse(session) else {
        return no_session(session);
    };
    match life.decide(session, by, verdict).await {
        Ok(Ok(())) => Answer::Done {},
        Ok(Err(why)) => Answer::Error(why),
        Err(error) => Answer::Error(error.to_string()),
    }
}

async fn end(life: &Handle, session: Option<&str>) -> Answer {
    let session = match session {
        None => None,
        Some(text) => match SessionId::parse(text) {
            Some(session) => Some(session),
            None => return no_session(text),
        },
    };
    match life.end_sessions(session).await {
        Ok(ended) => Answer::Ended(ended),
        Err(error) => Answer::Error(error.to_string()),
    }
}

async fn release(life: &Handle, device: &str) -> Answer {
    let Some(device) = DeviceId::parse(device) else {
        return Answer::Error(format!("'{device}' is no device: its id has 32 hex digits"));
    };
    match life.release(device).await {
        Ok(Ok(())) => Answer::Done {},
        Ok(Err(why)) => Answer::Error(why),
        Err(error) => Answer::Error(error.to_string()),
    }
}

fn no_session(text: &str) -> Answer {
    Answer::Error(format!("'{text}' is no session: its id has 32 hex digits"))
}

/// Asks the agent that runs on a state folder.
///
/// # Errors
/// [`ControlError`]: nobody runs there, or nobody answers.
pub async fn ask(state_dir: &Path, question: &Question) -> Result<Answer, ControlError> {
    let silent = || ControlError::Silent(state_dir.to_owned());
    let stream = UnixStream::connect(state_dir.join(SOCKET))
        .await
        .map_err(|error| ControlError::NotRunning {
            state_dir: state_dir.to_owned(),
            error,
        })?;
    let text = timeout(EXCHANGE_TIMEOUT, exchange(stream, question)).await;
    let text = text.map_err(|_| silent())?.map_err(|_| silent())?;
    match serde_json::from_str(&text) {
        Ok(Answer::Error(words)) => Err(ControlError::Refused(words)),
        Ok(answer) => Ok(answer),
        Err(_) => Err(silent()),
    }
}

async fn exchange(stream: UnixStream, question: &Question) -> io::Result<String> {
    let (read, mut write) = stream.into_split();
    let mut text = serde_json::to_string(question)?;
    text.push('\n');
    write.write_all(text.as_bytes()).await?;
    let mut line = String::new();
    BufReader::new(read.take(ANSWER_BYTES_MAX))
        .read_line(&mut line)
        .await?;
    Ok(line)
}

/// Asks for the status.
///
/// # Errors
/// As [`ask`].
pub async fn status(state_dir: &Path) -> Result<Status, ControlError> {
    match ask(state_dir, &Question::Status {}).await? {
        Answer::Status(status) => Ok(*status),
        Answer::Diagnostics(_)
        | Answer::Sessions(_)
        | Answer::Ended(_)
        | Answer::Done {}
        | Answer::Error(_) => Err(ControlError::Silent(state_dir.to_owned())),
    }
}
