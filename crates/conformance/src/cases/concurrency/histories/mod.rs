//! Random calls at the same time: whatever came of them, some order in a row must explain it.
//!
//! Each call is noted with a moment before it and one after. Then, for each token, an order of the
//! calls is sought that keeps those which did not overlap in order and in which every answer is
//! what the contract says; without one, the store broke a rule. So a revoked token stays revoked,
//! a finished create is found, nothing succeeds twice, and each version is written once, in every
//! interleaving that happens to come up.

mod caller;
mod life;

use std::collections::BTreeMap;
use std::fmt::Write;

use tokenkeep_core::ErrorKind::NotFound;
use tokenkeep_core::TokenId;

use self::caller::{Call, Caller, Noted, Scene};
use self::life::{Event, Said, explained};
use super::at_once::all_at_once;
use crate::case::cases;
use crate::check::{Check, Failure, ensure, fails};
use crate::context::Context;
use crate::environment::{rounds, seed};
use crate::random::Random;

cases! { Concurrency:
    random_calls_for_few_tokens_have_an_order [R2 R3 R4 R5 R6 R7 R11 R12],
    random_bulk_calls_have_an_order [R4 R7 R8 R9 R14],
    random_revocations_are_final [R6 R7 R8 R11 R12 R13],
}

/// How many histories a case plays unless the environment says otherwise.
const HISTORIES: u32 = 6;

/// How many tasks call at the same time, and how often each does.
const CALLERS: usize = 6;
const CALLS: usize = 40;

async fn random_calls_for_few_tokens_have_an_order(ctx: Context) -> Check {
    let mix = [
        (Call::Create, 5),
        (Call::Get, 5),
        (Call::Delete, 2),
        (Call::Replace, 5),
        (Call::Rotate, 4),
        (Call::Renew, 2),
    ];
    play(&ctx, &mix, 4).await
}

async fn random_bulk_calls_have_an_order(ctx: Context) -> Check {
    let mix = [
        (Call::Create, 4),
        (Call::CreateMany, 3),
        (Call::Get, 2),
        (Call::Rotate, 3),
        (Call::DeleteTokens, 2),
        (Call::List, 3),
        (Call::Renew, 4),
    ];
    play(&ctx, &mix, 9).await
}

async fn random_revocations_are_final(ctx: Context) -> Check {
    let mix = [
        (Call::Create, 6),
        (Call::Get, 3),
        (Call::Delete, 3),
        (Call::Replace, 4),
        (Call::Rotate, 3),
        (Call::DeleteTokens, 1),
        (Call::Flush, 2),
        (Call::Renew, 2),
    ];
    play(&ctx, &mix, 6).await
}

async fn play(ctx: &Context, mix: &[(Call, usize)], slots: usize) -> Check {
    let first = seed()?;
    for seed in first..first.saturating_add(u64::from(rounds(HISTORIES)?)) {
        let history = one_history(ctx, mix, slots, seed).await;
        history.map_err(|failure| Failure::new(format!("with seed {seed}: {failure}")))?;
    }
    Ok(())
}

async fn one_history(ctx: &Context, mix: &[(Call, usize)], slots: usize, seed: u64) -> Check {
    let mut random = Random::new(seed);
    let scene = Scene::new(ctx, slots, seed);
    let mut calling = Vec::new();
    for number in 0..CALLERS {
        let calls: Vec<_> = (0..CALLS).map(|_| pick(mix, &mut random)).collect();
        let caller = Caller::new(ctx, scene.clone(), number, random.fork(), CALLS)?;
        calling.push(caller.call_all(calls));
    }
    let noted: Vec<_> = all_at_once(calling).await?.into_iter().flatten().collect();
    for (id, (events, refused)) in lives(noted) {
        let (before, found) = (scene.moments.next(), ctx.driver().get(&id).await);
        if refused {
            // A successor that a lost rotation made and took back may be seen in between.
            fails(found, NotFound, "get of a refused successor in the end")?;
            continue;
        }
        let mut events = events;
        let after = scene.moments.next();
        events.push(Event {
            before,
            after,
            said: caller::found(found)?,
        });
        ensure(
            explained(&events),
            format!(
                "no order explains the calls for token {id}:{}",
                told(&events)
            ),
        )?;
    }
    Ok(())
}

fn pick(mix: &[(Call, usize)], random: &mut Random) -> Call {
    let total = mix.iter().map(|(_, weight)| weight).sum();
    let mut left = random.below(total);
    for (call, weight) in mix {
        if left < *weight {
            return *call;
        }
        left -= weight;
    }
    Call::Get
}

/// What was said of each token, and whether it is a successor that was refused.
fn lives(noted: Vec<Noted>) -> BTreeMap<TokenId, (Vec<Event>, bool)> {
    let mut lives: BTreeMap<TokenId, (Vec<Event>, bool)> = BTreeMap::new();
    let mut users = BTreeMap::new();
    for note in &noted {
        match note {
            Noted::One { id, user, event } => {
                users.insert(*id, *user);
                lives.entry(*id).or_default().0.push(*event);
            }
            Noted::Refused { id } => lives.entry(*id).or_default().1 = true,
            Noted::Bulk { .. } => {}
        }
    }
    for note in noted {
        let Noted::Bulk {
            user,
            before,
            after,
            said,
        } = note
        else {
            continue;
        };
        // A bulk call says something of each of its user's tokens: of most, that it is not active.
        for (id, (events, _)) in lives
            .iter_mut()
            .filter(|(id, _)| users.get(id) == Some(&user))
        {
            let said = said.get(id).copied().unwrap_or(Said::NotActive);
            events.push(Event {
                before,
                after,
                said,
            });
        }
    }
    lives
}

fn told(events: &[Event]) -> String {
    let mut events = events.to_vec();
    events.sort_by_key(|event| event.before);
    events.iter().fold(String::new(), |mut text, event| {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "\n    {:5} to {:5} {:?}",
            event.before, event.after, event.said
        );
        text
    })
}
