//! One life after the other in one process: the hub's configuration comes into effect when a life
//! begins. Spool, identity and journal go on from one to the next.

use std::future::Future;
use std::sync::Arc;

use actors::mask::Masks;
use actors::outbox::Outbox;
use actors::parts::Word;
use actors::spool::Spool;
use actors::{Ended, Handle};
use tracing::{error, info, warn};

use super::{DRAIN_LIMIT, Means, parts};
use crate::cli::{CliError, Exit};
use crate::config::AgentConfig;
use crate::control::{self, About};
use crate::identity::keeper::{Ending, IdentityKeeper};
use crate::remote::InEffect;
use crate::site::Program;

/// Lives until `shutdown` resolves, the hub has refused us too often, or a life ends by itself.
pub(super) async fn run(
    program: &Program,
    means: &Means,
    about: About,
    shutdown: impl Future<Output = ()>,
) -> Result<Exit, CliError> {
    let failed = |error: &dyn std::fmt::Display| CliError::new(Exit::FAILED, error.to_string());
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let effect = program.in_effect();
        let word = word(&effect, &means.spool)?;
        let masks = word.masks.clone();
        let mut parts = parts(&effect.config, means, word).await?;
        parts.site = Some(Arc::new(program.clone()));
        let hub = parts.hub.clone();
        let life = actors::start(parts).await.map_err(|error| failed(&error))?;
        let life = Arc::new(life);
        program.lives(life.clone(), masks, hub);
        let control = control::listen(
            &effect.config.state_dir,
            about.clone(),
            (life.clone(), program.clone()),
        );
        let ended = live(&life, means.keeper.as_deref(), (&mut shutdown, program)).await;
        drop(control);
        if let Some(exit) = ended {
            return Ok(exit);
        }
        info!("the life begins anew, with the hub's configuration");
    }
}

/// Waits for the end, from outside or by itself; none if the life has to begin anew.
async fn live(
    life: &Handle,
    keeper: Option<&IdentityKeeper>,
    (shutdown, program): (impl Future<Output = ()>, &Program),
) -> Option<Exit> {
    let refused = async {
        match keeper {
            Some(keeper) => keeper.ended().await,
            None => std::future::pending().await,
        }
    };
    let exit = tokio::select! {
        () = shutdown => Some(Exit::OK),
        () = program.wants_anew() => None,
        ending = refused => match ending {
            Ending::Disabled => {
                error!("disabled after the hub's refusals; platen status says how to get out");
                Some(Exit::REFUSED)
            }
            Ending::EnrolledAnew => Some(Exit::FAILED),
        },
        cause = life.ended() => {
            error!(%cause, "the supervisor died; start the agent again");
            return Some(Exit::FAILED);
        }
    };
    match life.drain(DRAIN_LIMIT).await {
        Ended::Drained => {
            info!("drained; what was not sent waits in the spool");
            exit
        }
        Ended::Died(cause) => {
            error!(%cause, "the supervisor died while it drained");
            Some(Exit::FAILED)
        }
    }
}

/// The log of what is sent. An agent whose disk refuses it works all the same, and says so.
pub(super) fn outbox(config: &AgentConfig) -> Outbox {
    Outbox::open(&config.state_dir, config.word.outbox).unwrap_or_else(|error| {
        warn!(%error, "the log of sent messages cannot be written; `platen outbox` will miss them");
        Outbox::default()
    })
}

/// What the site lets out, and what it has to say. Without its masks nothing may be sent.
fn word(effect: &InEffect, spool: &Spool) -> Result<Word, CliError> {
    let config = &effect.config;
    let masks = Masks::open(&config.state_dir, config.word.masks, &spool.stats());
    let masks = masks.map_err(|error| {
        CliError::new(Exit::FAILED, error.to_string())
            .because("the site masks what it sends, so nothing can be sent without it")
            .try_next(
                "bring the file back, or remove it: every printer is a new one to the hub then",
            )
    })?;
    let mut alarms = Vec::with_capacity(effect.refusals.len());
    for refusal in &effect.refusals {
        warn!(why = %refusal, "a part of the hub's configuration does not count");
        alarms.push(format!(
            "a part of the hub's configuration does not count: {refusal}"
        ));
    }
    Ok(Word {
        masks,
        configuration: effect.id.clone(),
        alarms,
    })
}
