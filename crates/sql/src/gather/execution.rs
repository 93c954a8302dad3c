//! One batch, and each of its callers' answers.

use std::slice;
use std::time::Instant;

use tokenkeep_backend::{Call, Cause, Failure, Outcome};
use tokenkeep_core::ErrorKind;
use tokio::sync::oneshot;

use super::queue::Waiting;
use super::{BUSY, Batch, Shared, only};

type Caller<B> = oneshot::Sender<Outcome<<B as Batch>::Answer>>;

impl<B: Batch> Shared<B> {
    /// Executes a batch and answers its callers, before the first of them gives up.
    pub(super) async fn answer(&self, batch: Vec<Waiting<B>>) {
        let Some(earliest) = batch.iter().map(|waiting| waiting.deadline).min() else {
            return;
        };
        let deadline = earliest - self.bounds.margin();
        let (requests, callers): (Vec<_>, Vec<_>) = batch
            .into_iter()
            .map(|waiting| (waiting.request, waiting.answer))
            .unzip();
        match self.execute(&Call::until(deadline), &requests).await {
            Ok(answers) => {
                let mut answers = answers.into_iter();
                for caller in callers {
                    tell::<B>(caller, only(answers.by_ref().take(1)));
                }
            }
            Err(failure) if requests.len() > 1 && failure.may_be_of_one() => {
                self.answer_singly(&requests, callers, deadline).await;
            }
            Err(failure) => {
                for caller in callers {
                    tell::<B>(caller, Err(failure.clone()));
                }
            }
        }
    }

    /// A batch has failed, and nothing of it was done: a fault that one request has must not become
    /// everybody's.
    async fn answer_singly(
        &self,
        requests: &[B::Request],
        callers: Vec<Caller<B>>,
        deadline: Instant,
    ) {
        let mut everybodys: Option<Failure> = None;
        for (request, caller) in requests.iter().zip(callers) {
            // What nobody waits for is not begun.
            if caller.is_closed() {
                continue;
            }
            if Instant::now() >= deadline {
                everybodys.get_or_insert_with(|| Failure::refused(ErrorKind::Unavailable, BUSY));
            }
            if let Some(failure) = &everybodys {
                tell::<B>(caller, Err(failure.clone()));
                continue;
            }
            let call = Call::until(deadline);
            let outcome = self.execute(&call, slice::from_ref(request)).await;
            let failed = outcome.as_ref().err();
            everybodys = failed
                .filter(|failure| !failure.may_be_of_one())
                .map(not_begun);
            tell::<B>(
                caller,
                outcome.and_then(|answers| only(answers.into_iter())),
            );
        }
    }
}

/// What a failure of one means for those after it, which are not begun.
fn not_begun(failure: &Failure) -> Failure {
    match failure.cause {
        Cause::Lost => Failure::refused(ErrorKind::Unavailable, failure.message.clone()),
        Cause::Again | Cause::Refused(_) => failure.clone(),
    }
}

/// A caller that is gone needs no answer.
fn tell<B: Batch>(caller: Caller<B>, outcome: Outcome<B::Answer>) {
    let _ = caller.send(outcome);
}
