//! Tokens that take the place of others where a bulk revocation has been already.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

use tokenkeep_core::{TokenDriver, TokenFilter, TokenRecord};
use tokenkeep_sql::SqlDriver;

/// The first token of the walk, of so many that it takes three steps.
const FIRST: u64 = 100;
const CROWD: u64 = 2_500;
/// Where the lines begin: at the end of the walk.
const LAST: u64 = 5_000;
const LINES: u64 = 8;
/// How often a walk may be too fast to be passed by.
const WALKS: u64 = 20;

/// Has one driver revoke in bulk and the other rotate, until the first has to follow rotations.
///
/// The ids of the tokens are in the order of their numbers.
pub(crate) async fn follow_some(
    driver: &SqlDriver,
    other: &SqlDriver,
    record: fn(u64, &str) -> TokenRecord,
) {
    for walk in 0..WALKS {
        let user = format!("line-{walk}");
        let token = |number: u64| record(5_000_000 + 10_000 * walk + number, &user);
        let crowd = (FIRST..FIRST + CROWD).chain(LAST..LAST + LINES).map(token);
        driver.create_many(crowd.collect()).await.unwrap();
        let filter = TokenFilter::new().with_user(&user).unwrap();
        let is_over = AtomicBool::new(false);
        let revoke = async {
            let revoked = driver.delete_tokens(&filter).await;
            is_over.store(true, Ordering::SeqCst);
            revoked
        };
        let rotate = async {
            let first = token(FIRST).id;
            while !is_over.load(Ordering::SeqCst) && other.get(&first).await.is_ok() {
                tokio::task::yield_now().await;
            }
            for line in 0..LINES {
                let old = token(LAST + line).id;
                other.rotate(&old, token(line)).await.unwrap();
            }
        };
        let (revoked, ()) = futures::join!(revoke, rotate);
        let revoked: HashSet<_> = revoked.unwrap().into_iter().collect();
        assert_eq!(revoked.len() as u64, CROWD + LINES);
        if (0..LINES).any(|line| revoked.contains(&token(line).id)) {
            return;
        }
    }
    panic!("no walk was passed by");
}
