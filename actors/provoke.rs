//! Failing on purpose, so that tests see what follows. Only with the feature `provoke`, which no
//! release has.

use std::time::Duration;

use actix::fut::wrap_future;
use actix::{Actor, AsyncContext, Context};

use crate::messages::{Fault, Provoke, Work};

/// How often a stalled actor is put back to its work, which ends by itself: many times between two beats.
const STALLED_AGAIN: Duration = Duration::from_millis(5);

/// Makes the actor that calls it fail; returns the work it has in hand from then on. `put` gives it work.
#[expect(
    clippy::panic,
    reason = "a provoked fault is what this file is for, and no release has it"
)]
pub(crate) fn fail<A>(
    Provoke(fault): Provoke,
    work: Option<Work>,
    put: fn(&mut A, Option<Work>),
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
        Fault::Stall => {
            let stalled = Some(Work::begin("provoked stall", Duration::ZERO));
            ctx.run_interval(STALLED_AGAIN, move |actor, _| put(actor, stalled));
            stalled
        }
    }
}
