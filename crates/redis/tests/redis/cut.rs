//! A rotation that ends between its steps, on a Cluster where the tokens lie in different shards.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokenkeep_core::{ErrorKind, Rotation, TokenDriver, TokenDriverExt};

use crate::support::{cluster_options, of_user, open, record, shared_cluster, system_clock};

/// More often than this no rotation is woken.
const MAX_POLLS: usize = 60;

/// Polls a future so often, then drops it; tells what came of it if that was enough.
async fn cut_after<T>(polls: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(move |context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_is_cut_happened_or_not() {
    let Some(cluster) = shared_cluster() else {
        return;
    };
    let mut options = cluster_options(cluster, "cut");
    let driver = open(&options, system_clock()).await;
    // So long a bulk revocation waits for a rotation that may go on.
    options.timeout = Duration::from_millis(500);
    let hasty = open(&options, system_clock()).await;
    let mut was_whole = false;
    for polls in (1..MAX_POLLS).cycle().take(2 * MAX_POLLS) {
        let number = 10_000 * polls as u64 + fresh();
        let (old, new) = (record(number, "ada"), record(number + 1, "ada"));
        driver.create(old.clone()).await.unwrap();
        let turn = cut_after(polls, hasty.rotate(&old.id, new.clone())).await;
        let is_rotated = turn.map(|turn| turn.is_ok_and(|turn| turn == Rotation::Rotated));
        was_whole |= is_rotated == Some(true);
        // What had been sent is done before what follows on the same connections; of what had not, nothing
        // is.
        let is_old_active = driver.get(&old.id).await.is_ok();
        let has_new = driver.get(&new.id).await.is_ok();
        if is_rotated == Some(true) {
            assert!(!is_old_active && has_new, "{polls}");
        }
        assert!(is_old_active || has_new, "{polls}: the family is lost");
        let active = driver.list_all(&of_user("ada")).await.unwrap();
        assert_eq!(
            active.len(),
            usize::from(is_old_active) + usize::from(has_new)
        );
        let revoked = driver.delete_tokens(&of_user("ada")).await.unwrap();
        assert_eq!(revoked.len(), active.len(), "{polls}");
        for id in [old.id, new.id] {
            let found = driver.get(&id).await.unwrap_err();
            assert_eq!(found.kind(), ErrorKind::NotFound, "{polls}");
        }
        let active = driver.list_all(&of_user("ada")).await.unwrap();
        assert!(active.is_empty(), "{polls}: {} escaped", active.len());
    }
    assert!(was_whole, "no rotation came to its end");
}

/// Numbers of which two in a row lie in different shards.
fn fresh() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static COUNT: AtomicU64 = AtomicU64::new(0);
    COUNT.fetch_add(2, Ordering::Relaxed)
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_rotations_into_different_shards_one_wins() {
    let Some(cluster) = shared_cluster() else {
        return;
    };
    let options = cluster_options(cluster, "turns");
    let driver = open(&options, system_clock()).await;
    for round in 0..100 {
        let old = record(10 * round, "ada");
        driver.create(old.clone()).await.unwrap();
        let turns =
            (1..=4).map(|number| driver.rotate(&old.id, record(10 * round + number, "ada")));
        let turns = futures::future::try_join_all(turns).await.unwrap();
        let won: Vec<_> = (0..4)
            .filter(|at| turns[*at] == Rotation::Rotated)
            .collect();
        let [winner] = won[..] else {
            panic!("{} rotations won", won.len());
        };
        let heir = record(10 * round + 1 + winner as u64, "ada");
        for (at, turn) in turns.iter().enumerate().filter(|(at, _)| *at != winner) {
            let Rotation::AlreadyUsed { successor, .. } = turn else {
                panic!("{at}: {turn:?}");
            };
            assert_eq!(*successor, Some(heir.id));
        }
        let active = driver.list_all(&of_user("ada")).await.unwrap();
        assert_eq!(active, std::slice::from_ref(&heir));
        driver.delete(&heir.id).await.unwrap();
    }
}
