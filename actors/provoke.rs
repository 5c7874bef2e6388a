//! Failing on purpose, so that tests see what follows. Only with the feature `provoke`, which no
//! release has.

use std::time::Duration;

use actix::fut::wrap_future;
use actix::{Actor, AsyncContext, Context};

use crate::messages::{Fault, Provoke, Work};

/// Makes the actor that calls it fail; returns the work it has in hand from then on.
#[expect(
    clippy::panic,
    reason = "a provoked fault is what this file is for, and no release has it"
)]
pub(crate) fn fail<A>(
    Provoke(fault): Provoke,
    work: Option<Work>,
    ctx: &mut Context<A>,
) -> Option<Work>
where
    A: Actor<Context = Context<A>>,
{
    match fault {
        Fault::Panic => panic!("provoked"),
        Fault::Hang => {
            ctx.wait(wrap_future::<_, A>(std::future::pending::<()>()));
            work
        }
        Fault::Stall => Some(Work::begin("provoked stall", Duration::ZERO)),
    }
}
