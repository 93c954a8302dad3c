//! The first half of the demo: tokens are issued, validated and rotated.

use std::sync::Arc;
use std::time::Instant;

use tokenkeep::{
    Error, ErrorKind, PageRequest, Result, RotateOutcome, RotateRequest, TokenId, TokenSecret,
};

use super::crowd::{self, CALLERS};
use super::plan::{Group, Spec};
use super::{Life, Step};

impl Life {
    /// Issues all tokens, many at once.
    pub(super) async fn issue(&mut self) -> Result<Step> {
        let (manager, plan) = (Arc::clone(&self.manager), self.plan);
        let began = Instant::now();
        let issued = crowd::call("issuing", (0..plan.tokens).collect(), move |number| {
            let manager = Arc::clone(&manager);
            async move {
                let spec = plan.spec(number);
                let issued = manager.issue(spec.request()?).await?;
                Ok((spec, issued))
            }
        })
        .await?;
        let took = began.elapsed();
        for (spec, issued) in issued {
            self.ledger.add(spec, issued.secret, issued.record.id);
        }
        let title = format!(
            "Issue {} tokens for {} users, {CALLERS} callers at once",
            plan.tokens, plan.users
        );
        let listed = self.count_by_user().await?;
        Ok(Step::new("issue", title, plan.tokens, took)
            .figure("issued", plan.tokens as u64, self.ledger.active())
            .figure("listed, user by user", self.ledger.active(), listed))
    }

    async fn count_by_user(&self) -> Result<u64> {
        let mut count = 0;
        for user in 0..self.plan.users {
            count += self.count(Group::User(user)).await?;
        }
        Ok(count)
    }

    /// How many active tokens the store lists of a group.
    pub(super) async fn count(&self, group: Group) -> Result<u64> {
        let filter = group.filter()?;
        let mut request = PageRequest::default();
        let mut count = 0;
        loop {
            let page = self.manager.driver().list(&filter, &request).await?;
            count += page.items.len() as u64;
            if !page.more {
                return Ok(count);
            }
            request = request.after(page.cursor);
        }
    }

    /// Validates every token, and secrets that nobody was given.
    pub(super) async fn validate(&mut self) -> Result<Step> {
        let began = Instant::now();
        let valid = self.count_valid("validating").await?;
        let made_up = self.plan.tokens / 10;
        let inputs = (0..made_up).collect();
        let manager = Arc::clone(&self.manager);
        let refused = crowd::call("validating made-up secrets", inputs, move |number| {
            let manager = Arc::clone(&manager);
            async move {
                let secret = TokenSecret::new(format!("tkp_made-up-{number}"));
                is_not_found(manager.validate(&secret).await.map(|_| ()))
            }
        })
        .await?;
        let refused = refused.into_iter().filter(|refused| *refused).count();
        let handled = self.plan.tokens + made_up;
        let title = "Validate each of them, and some made-up secrets";
        Ok(Step::new("validate", title, handled, began.elapsed())
            .figure("valid, and for the right user", self.ledger.active(), valid)
            .figure("made-up ones refused", made_up as u64, refused as u64))
    }

    /// How many of all tokens ever issued are valid now; each has to be for its own user.
    pub(super) async fn count_valid(&self, what: &str) -> Result<u64> {
        let entries = self.ledger.entries().iter();
        let inputs = entries.map(|entry| (entry.spec, Arc::clone(&entry.secret)));
        let manager = Arc::clone(&self.manager);
        let valid = crowd::call(what, inputs.collect(), move |(spec, secret)| {
            let manager = Arc::clone(&manager);
            async move {
                match manager.validate(&secret).await {
                    Ok(record) => Ok(*record.user_id == *super::plan::user(spec.user)),
                    Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
                    Err(error) => Err(error),
                }
            }
        })
        .await?;
        Ok(valid.into_iter().filter(|valid| *valid).count() as u64)
    }

    /// Rotates each twentieth token, then presents the old ones again, as a thief would.
    pub(super) async fn rotate(&mut self) -> Result<Step> {
        let began = Instant::now();
        let rotated = self.rotate_some().await?;
        let olds: Vec<_> = rotated.iter().map(|pair| pair.old).collect();
        let count = rotated.len();
        let expected = self.plan.tokens.div_ceil(20) as u64;
        let mut successors = Vec::new();
        for pair in rotated {
            let old = &mut self.ledger.entries_mut()[pair.old];
            old.revoked = Some(0);
            // The successor lives as long as the manager's default says.
            let spec = Spec {
                is_short_lived: false,
                ..old.spec
            };
            successors.push(pair.successor);
            self.ledger.add(spec, pair.secret, pair.successor);
        }
        let mut caught = 0;
        for (old, successor) in olds.iter().zip(successors) {
            let secret = &self.ledger.entries()[*old].secret;
            let again = self.manager.rotate(secret, RotateRequest::new()).await?;
            let is_known = matches!(
                again,
                RotateOutcome::AlreadyUsed { successor: Some(id), .. } if id == successor
            );
            caught += u64::from(is_known);
        }
        let took = began.elapsed();
        let valid = self.count_valid("validating").await?;
        let title = "Rotate each twentieth, then present the old ones again";
        Ok(Step::new("rotate", title, count * 2, took)
            .figure("rotated", expected, count as u64)
            .figure("old ones recognised as used", expected, caught)
            .figure("valid tokens", self.ledger.active(), valid))
    }

    async fn rotate_some(&self) -> Result<Vec<Pair>> {
        let entries = self.ledger.entries().iter().enumerate().step_by(20);
        let inputs = entries.map(|(index, entry)| (index, Arc::clone(&entry.secret)));
        let manager = Arc::clone(&self.manager);
        crowd::call("rotating", inputs.collect(), move |(old, secret)| {
            let manager = Arc::clone(&manager);
            async move {
                match manager.rotate(&secret, RotateRequest::new()).await? {
                    RotateOutcome::Rotated(issued) => Ok(Pair {
                        old,
                        successor: issued.record.id,
                        secret: issued.secret,
                    }),
                    RotateOutcome::AlreadyUsed { .. } => {
                        let problem = "a token was used before it was rotated";
                        Err(Error::new(ErrorKind::Internal, problem))
                    }
                }
            }
        })
        .await
    }
}

/// A rotated token, by its place in the ledger, and what took its place.
struct Pair {
    old: usize,
    successor: TokenId,
    secret: TokenSecret,
}

/// Turns the answer for an absent token into "yes", one for a present token into "no".
fn is_not_found(answer: Result<()>) -> Result<bool> {
    match answer {
        Ok(()) => Ok(false),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}
