//! How an actor is kept, watched and told dead: the future we poll it in.
//!
//! actix 0.13 ends an actor silently when a handler panics, and its own `Supervisor` does not
//! bring it back: it polls without catching unwinds and restarts only after `ctx.stop()`. Two
//! ways round that work: a drop guard in the actor, and polling the actor's `ContextFut`
//! ourselves under `catch_unwind`. Platen takes the second, with a *new* actor by factory:
//!
//! - an actor that hangs in an await can be dropped from outside, because the future is ours;
//!   a drop guard sees only deaths that happen by themselves;
//! - no unwinding passes through `ContextFut::drop`, which polls the actor again and runs its
//!   `stopped()`: a second panic there would abort the whole process;
//! - the death is told by an awaited send, with back-pressure; a guard's `Drop` could only
//!   `do_send`, which knows no bound;
//! - a new actor starts from nothing. `ContextFut::restart` would keep the value whose state may
//!   be what broke. The mailbox goes with it: what callers asked of the dead is answered by an
//!   error at once instead of much later.
//!
//! It needs `panic = "unwind"`. What it cannot see is code that never yields the thread; that is
//! the watchdog's (`watchdog.rs`).

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;

use actix::dev::ContextFut;
use actix::{Actor, Addr, Context};
use tokio::sync::oneshot;

use crate::messages::{Cause, HangReason};

/// Longest text kept of a panic, in characters: it is shown on one line of a status page.
const PANIC_WORDS_MAX: usize = 200;

/// The Supervisor's hold on one living child. Dropping it ends the child too.
#[derive(Debug)]
pub(crate) struct Lifeline {
    knife: oneshot::Sender<HangReason>,
}

impl Lifeline {
    /// Drops the child from outside, because it hangs. Its death is told as any other.
    pub(crate) fn cut(self, reason: HangReason) {
        // A refusal means that it died by itself in this very moment.
        let _ = self.knife.send(reason);
    }

    /// A lifeline of nobody, and what tells that it was cut.
    #[cfg(test)]
    pub(crate) fn for_tests() -> (Self, oneshot::Receiver<HangReason>) {
        let (knife, cut) = oneshot::channel();
        (Self { knife }, cut)
    }
}

/// Starts an actor on the current arbiter; `tell` is awaited with the cause when it has died.
pub(crate) fn start<A, T, F>(actor: A, mailbox_max: usize, tell: T) -> (Addr<A>, Lifeline)
where
    A: Actor<Context = Context<A>>,
    T: FnOnce(Cause) -> F + 'static,
    F: Future<Output = ()> + 'static,
{
    let mut context = Context::new();
    context.set_mailbox_capacity(mailbox_max);
    let life = context.into_future(actor);
    let address = life.address();
    let (knife, cut) = oneshot::channel();
    // In a box before it is in the task, which would keep room for it a second time.
    let life = Box::pin(life);
    actix::spawn(async move { tell(live(life, cut).await).await });
    (address, Lifeline { knife })
}

/// Polls the actor until it stops, panics or is cut, and drops it.
async fn live<A>(
    mut life: Pin<Box<ContextFut<A, Context<A>>>>,
    mut cut: oneshot::Receiver<HangReason>,
) -> Cause
where
    A: Actor<Context = Context<A>>,
{
    let cause = poll_fn(|cx| {
        if let Poll::Ready(knife) = Pin::new(&mut cut).poll(cx) {
            return Poll::Ready(knife.map_or(Cause::Stopped, Cause::Hung));
        }
        match catch_unwind(AssertUnwindSafe(|| life.as_mut().poll(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(())) => Poll::Ready(Cause::Stopped),
            Err(payload) => Poll::Ready(Cause::Panicked(words(payload.as_ref()))),
        }
    })
    .await;
    // The drop runs the actor's own `stopped` and destructors, which may panic as well. The
    // cause is known already, so the second panic adds nothing.
    let _ = catch_unwind(AssertUnwindSafe(move || drop(life)));
    cause
}

/// What a panic said, bounded.
fn words(payload: &(dyn Any + Send)) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no words");
    text.chars().take(PANIC_WORDS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use actix::{Handler, Message, WrapFuture};

    use super::*;

    struct Fragile;

    #[derive(Message)]
    #[rtype(result = "()")]
    enum Order {
        PanicInHandler,
        PanicLater,
        WaitForever,
        Stop,
    }

    impl Actor for Fragile {
        type Context = Context<Self>;

        fn stopped(&mut self, _: &mut Self::Context) {
            panic!("stopped may not matter");
        }
    }

    impl Handler<Order> for Fragile {
        type Result = ();

        fn handle(&mut self, order: Order, ctx: &mut Self::Context) {
            use actix::{ActorContext, AsyncContext};
            match order {
                Order::PanicInHandler => panic!("in a handler"),
                Order::PanicLater => {
                    ctx.spawn(async { panic!("in a future") }.into_actor(self));
                }
                Order::WaitForever => ctx.wait(std::future::pending::<()>().into_actor(self)),
                Order::Stop => ctx.stop(),
            }
        }
    }

    async fn cause_after(order: Order, cut: Option<HangReason>) -> Cause {
        let (told, cause) = oneshot::channel();
        let (address, lifeline) = start(Fragile, 4, |cause| async {
            told.send(cause).expect("the test waits");
        });
        let answer = address.send(order);
        let held = match cut {
            Some(reason) => {
                answer.await.expect("the order was taken");
                lifeline.cut(reason);
                None
            }
            None => {
                let _ = answer.await;
                Some(lifeline)
            }
        };
        let cause = cause.await.expect("every death is told");
        drop(held);
        cause
    }

    #[actix::test]
    async fn a_panic_in_a_handler_is_told() {
        let cause = cause_after(Order::PanicInHandler, None).await;
        assert_eq!(cause, Cause::Panicked("in a handler".to_owned()));
    }

    #[actix::test]
    async fn a_panic_in_a_spawned_future_is_told() {
        let cause = cause_after(Order::PanicLater, None).await;
        assert_eq!(cause, Cause::Panicked("in a future".to_owned()));
    }

    #[actix::test]
    async fn a_hung_actor_is_dropped_from_outside() {
        let cause = cause_after(Order::WaitForever, Some(HangReason::NoAnswer)).await;
        assert_eq!(cause, Cause::Hung(HangReason::NoAnswer));
    }

    #[actix::test]
    async fn a_stop_is_told_even_if_stopped_panics() {
        let cause = cause_after(Order::Stop, None).await;
        assert!(
            matches!(cause, Cause::Stopped | Cause::Panicked(_)),
            "{cause:?}"
        );
    }
}
