//! Calls that meet in the middle of one another.

use std::sync::Arc;

use tokenkeep_core::{Clock, Replacement, TokenDriver};
use tokenkeep_testkit::Settings;

use crate::holder::{Holder, until};
use crate::support::{id, manual_clock, of_user, open, options, own_server, record};

/// Between a bulk revocation's look and its locks a token ends, and its id becomes another's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bulk_revocation_leaves_a_token_alone_that_no_longer_matches() {
    let Some(server) = own_server(&Settings::new()) else {
        return;
    };
    let clock = manual_clock();
    let driver = Arc::new(open(&options(&server, "races"), clock.clone()).await);
    for number in 1..=2 {
        driver.create(record(number, "ada")).await.unwrap();
    }
    // The look passes this lock, and the call's own locks, in order of the ids, wait for it.
    let row = format!(
        "SELECT 1 FROM races.tokens WHERE id = X'{}' FOR UPDATE",
        id(1)
    );
    let holder = Holder::new(&server, &row);
    let call = tokio::spawn({
        let driver = Arc::clone(&driver);
        async move { driver.delete_tokens(&of_user("ada")).await }
    });
    let waiting = "SELECT COUNT(*) FROM information_schema.innodb_trx \
                   WHERE trx_state = 'LOCK WAIT'";
    until("the call waits", || {
        server.sql(waiting).unwrap().trim() == "1"
    });
    let change = Replacement {
        id: id(2),
        expires_at: clock.now(),
        data: record(2, "ada").data,
    };
    driver.replace(change, 1).await.unwrap();
    driver.create(record(2, "bob")).await.unwrap();
    holder.release(&server);
    assert_eq!(call.await.unwrap().unwrap(), [id(1)]);
    assert_eq!(driver.get(&id(2)).await.unwrap().user_id.as_str(), "bob");
}
