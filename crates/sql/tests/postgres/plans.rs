//! How the server executes the driver's statements on a table of 100,000 rows.
//!
//! The server itself writes down the plan of each statement that it executes, so that the plans are
//! those of the driver's own sessions and values, and no statement can be left out of a list: one of
//! an unknown kind fails the test, and so does a kind that was not seen.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::Arc;

use tokenkeep_core::{Anchor, PageRequest, Replacement, TokenDriver, TokenFilter};
use tokenkeep_sql::{SqlDriver, postgres};
use tokenkeep_testkit::Settings;

use crate::lines::follow_some;
use crate::plan::{Kind, Plan, plans};
use crate::support::{at, manual_clock, open, options, own_server, record};

/// Often enough that the server stops making a plan for each value.
const TIMES: Range<u64> = 0..8;

/// 100,000 tokens of 1,000 users: each tenth expired, each tenth revoked, and some in trusts and
/// with consumers. The ids have no order.
const ROWS: &str = "\
    INSERT INTO plans.tokens (id, audit_id, audit_chain_id, user_id, tenant_id, domain_id, \
        trust_id, consumer_id, issued_at, expires_at, version, revoked_at, revocation, data) \
    SELECT sha256(n::text::bytea), 'audit-' || n, 'audit-' || n, 'user-' || n / 10 % 1000, \
        'tenant-' || n / 10 % 40, 'domain-' || n / 10 % 50, \
        CASE WHEN n % 7 = 0 THEN 'trust-' || n / 70 % 100 END, \
        CASE WHEN n % 9 = 0 THEN 'consumer-' || n / 90 % 100 END, \
        1, CASE WHEN n % 10 = 3 THEN 1 + n ELSE 4000000000000000 + n END, 1, \
        CASE WHEN n % 10 = 4 THEN 5 END, CASE WHEN n % 10 = 4 THEN n / 10 + 1 END, \
        sha256(n::text::bytea) \
    FROM generate_series(0, 99999) AS n; \
    UPDATE plans.store SET revocations = 10000";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_statement_reads_the_whole_table() {
    let Some(server) = own_server(&explaining()) else {
        return;
    };
    let driver = Arc::new(open(&options(&server, "plans"), manual_clock()).await);
    server.sql(ROWS).unwrap();
    server.sql("VACUUM ANALYZE plans.tokens").unwrap();
    let removed = call_everything(&driver, TIMES, 200).await;
    follow_some(&driver, &driver, record).await;
    assert_eq!(removed, 8 * 1_100);
    check(&plans(&server));
}

/// The sessions keep the plans that they made of a few tokens, since nothing looks at the tables
/// again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_planned_for_a_few_tokens_is_right_for_many() {
    let settings = explaining().with_option("autovacuum", "off");
    let Some(server) = own_server(&settings) else {
        return;
    };
    let mut options = options(&server, "plans");
    options.common.pool_size = 1;
    for count in [2, 20, 200] {
        let driver = Arc::new(open(&options, manual_clock()).await);
        let few = (0..count).map(|number| record(900_000 + number, "new"));
        driver.create_many(few.collect()).await.unwrap();
        server.sql("VACUUM ANALYZE plans.tokens").unwrap();
        call_everything(&driver, 100..112, 20).await;
        let of_few = plans(&server).len();
        server.sql(ROWS).unwrap();
        call_everything(&driver, TIMES, 200).await;
        let other = open(&options, manual_clock()).await;
        follow_some(&driver, &other, record).await;
        check(&plans(&server)[of_few..]);
        postgres::drop_namespace(&options).await.unwrap();
    }
}

fn explaining() -> Settings {
    Settings::new()
        .relaxed()
        .with_option("session_preload_libraries", "auto_explain")
        .with_option("auto_explain.log_min_duration", "0")
}

fn check(plans: &[Plan]) {
    for plan in plans {
        plan.check();
    }
    let seen: BTreeSet<Kind> = plans.iter().map(Plan::kind).collect();
    let all: BTreeSet<Kind> = Kind::all().collect();
    assert_eq!(seen, all);
}

/// Gives how many tokens were flushed.
async fn call_everything(driver: &Arc<SqlDriver>, rounds: Range<u64>, at_once: u64) -> u64 {
    driver.check().await.unwrap();
    let mut removed = 0;
    for round in rounds {
        call_one_by_one(driver, round).await;
        let many = (0..at_once).map(|number| record(1_000 * round + number, "new"));
        driver.create_many(many.collect()).await.unwrap();
        call_at_once(driver, round, at_once).await;
        call_with_filters(driver, round).await;
        let page = PageRequest::new(1_000).unwrap();
        let first = driver.list_revoked(&page).await.unwrap();
        driver
            .list_revoked(&page.after(first.cursor))
            .await
            .unwrap();
        let limit = NonZeroU32::new(1_100).unwrap();
        removed += driver.flush_expired(limit).await.unwrap().removed;
    }
    removed
}

async fn call_one_by_one(driver: &SqlDriver, round: u64) {
    let [first, second, third] = [0, 1, 2].map(|part| record(1_000_000 + 10 * round + part, "new"));
    for record in [&first, &second] {
        driver.create(record.clone()).await.unwrap();
    }
    driver.get(&first.id).await.unwrap();
    let change = Replacement {
        id: first.id,
        expires_at: at("2095-01-01T00:00:00Z"),
        data: first.data.clone(),
    };
    driver.replace(change, 1).await.unwrap();
    driver.delete(&first.id).await.unwrap();
    driver.rotate(&second.id, third).await.unwrap();
}

/// So many that they are gathered.
async fn call_at_once(driver: &Arc<SqlDriver>, round: u64, count: u64) {
    let calls = (0..count).map(|number| {
        let driver = Arc::clone(driver);
        let id = record(1_000 * round + number, "new").id;
        tokio::spawn(async move {
            driver.get(&id).await.unwrap();
            driver.delete(&id).await.unwrap();
        })
    });
    for call in futures::future::join_all(calls).await {
        call.unwrap();
    }
}

/// Each anchor alone, with all others, and with all else that narrows; over several pages.
async fn call_with_filters(driver: &SqlDriver, round: u64) {
    for anchor in Anchor::ALL {
        for filter in filters(anchor, round) {
            let page = PageRequest::new(20).unwrap();
            let first = driver.list(&filter, &page).await.unwrap();
            driver
                .list(&filter, &page.after(first.cursor))
                .await
                .unwrap();
            driver.delete_tokens(&filter).await.unwrap();
        }
    }
}

fn filters(anchor: Anchor, round: u64) -> Vec<TokenFilter> {
    let new = TokenFilter::new;
    let alone = match anchor {
        Anchor::Trust => new().with_trust(&format!("trust-{round}")),
        Anchor::User => new().with_user(&format!("user-{round}")),
        Anchor::Consumer => new().with_consumer(&format!("consumer-{round}")),
        // More than one step of a bulk revocation.
        Anchor::Tenant => new().with_tenant(&format!("tenant-{round}")),
        Anchor::Domain => new().with_domain(&format!("domain-{round}")),
    };
    let alone = alone.unwrap();
    let mut all = alone.clone();
    for other in Anchor::ALL.into_iter().filter(|other| *other > anchor) {
        all = match other {
            Anchor::Trust => all,
            Anchor::User => all.with_user("user-70").unwrap(),
            Anchor::Consumer => all.with_consumer("consumer-9").unwrap(),
            Anchor::Tenant => all.with_tenant("tenant-30").unwrap(),
            Anchor::Domain => all.with_domain("domain-20").unwrap(),
        };
    }
    let narrow = all.clone().with_audit_id("audit-1").unwrap();
    let narrow = narrow.with_audit_chain("audit-1").unwrap();
    let narrow = narrow.issued_before(at("2029-01-01T00:00:00Z"));
    // What narrows most comes first, so that there is something left for the last one.
    vec![narrow, all, alone]
}
