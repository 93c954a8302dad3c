//! How the server executes the driver's statements on a table of 100,000 rows.
//!
//! The server itself writes down the plan of each statement that it executes, and how many rows it
//! read, so that the plans are those of the driver's own sessions and values, and no statement can be
//! left out of a list: one of an unknown kind fails the test, and so does a kind that was not seen.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::Arc;

use tokenkeep_core::{Anchor, PageRequest, Replacement, TokenDriver, TokenFilter, TokenId};
use tokenkeep_sql::SqlDriver;
use tokenkeep_testkit::{Server, Settings};

use crate::lines::follow_some;
use crate::support::{at, manual_clock, open, options, own_server, record};

/// 100,000 tokens of 1,000 users: each tenth expired, each tenth revoked, and some in trusts and
/// with consumers. The ids have no order.
const ROWS: &str = "\
    USE plans; \
    INSERT INTO plans.tokens (id, audit_id, audit_chain_id, user_id, tenant_id, domain_id, \
        trust_id, consumer_id, issued_at, expires_at, version, revoked_at, revocation, data) \
    SELECT UNHEX(SHA2(seq, 256)), CONCAT('audit-', seq), CONCAT('audit-', seq), \
        CONCAT('user-', seq % 1000), CONCAT('tenant-', seq % 10), CONCAT('domain-', seq % 5), \
        IF(seq % 7 = 0, CONCAT('trust-', seq % 700), NULL), \
        IF(seq % 9 = 0, CONCAT('consumer-', seq % 900), NULL), \
        1, IF(seq % 10 = 3, 1 + seq, 3500000000000000 + seq), 1, \
        IF(seq % 10 = 4, 5, NULL), IF(seq % 10 = 4, seq DIV 10 + 1, NULL), \
        REPEAT(UNHEX(SHA2(seq, 256)), 8) \
    FROM seq_0_to_99999; \
    UPDATE plans.store SET revocations = 10000; \
    ANALYZE TABLE plans.tokens";

/// The most rows that a statement may read: the tokens of one domain, where a filter narrows by what
/// has no index.
const MOST_ROWS: f64 = 20_000.0;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_statement_reads_the_whole_table() {
    let settings = Settings::new()
        .with_option("slow-query-log", "ON")
        .with_option("slow-query-log-file", "slow.log")
        .with_option("long-query-time", "0")
        .with_option("log-slow-verbosity", "query_plan,explain");
    let Some(server) = own_server(&settings) else {
        return;
    };
    let driver = Arc::new(open(&options(&server, "plans"), manual_clock()).await);
    server.sql(ROWS).unwrap();
    let log = || std::fs::read(server.data_folder().join("slow.log")).unwrap();
    let opened = log().len();
    call_everything(&server, &driver).await;
    let mut seen = BTreeSet::new();
    for entry in String::from_utf8_lossy(&log()[opened..]).split("# User@Host: ") {
        seen.extend(Plan::of(entry).map(|plan| plan.check()));
    }
    let wanted: BTreeSet<_> = KINDS.iter().map(|(kind, ..)| *kind).collect();
    assert_eq!(seen, wanted);
}

/// One that the server made.
fn stored_id(server: &Server, number: u64) -> TokenId {
    let sql = format!("SELECT SHA2({number}, 256)");
    server.sql(&sql).unwrap().trim().parse().unwrap()
}

async fn call_everything(server: &Server, driver: &Arc<SqlDriver>) {
    driver.check().await.unwrap();
    call_one_by_one(server, driver).await;
    let many = (0..300).map(|number| record(number, "new"));
    driver.create_many(many.collect()).await.unwrap();
    call_at_once(driver).await;
    call_with_filters(driver).await;
    follow_some(driver, driver, record).await;
    let page = PageRequest::new(1_000).unwrap();
    let first = driver.list_revoked(&page).await.unwrap();
    let next = page.after(first.cursor);
    driver.list_revoked(&next).await.unwrap();
    let limit = NonZeroU32::new(2_500).unwrap();
    let flushed = driver.flush_expired(limit).await.unwrap();
    assert_eq!((flushed.removed, flushed.more), (2_500, true));
}

/// Numbers that end in 1, 5 and 6 are neither expired nor revoked; in 3, expired.
async fn call_one_by_one(server: &Server, driver: &SqlDriver) {
    let change = Replacement {
        id: stored_id(server, 1),
        expires_at: at("2095-01-01T00:00:00Z"),
        data: record(0, "new").data,
    };
    driver.get(&change.id).await.unwrap();
    driver.replace(change, 1).await.unwrap();
    driver.delete(&stored_id(server, 5)).await.unwrap();
    for (number, expired) in [
        (1_000_000, None),
        (1_000_001, Some(3)),
        (1_000_002, Some(13)),
    ] {
        let mut new = record(number, "new");
        if let Some(expired) = expired {
            new.id = stored_id(server, expired);
        }
        driver.create(new).await.unwrap();
    }
    let old = stored_id(server, 6);
    let mut successor = record(2_000_000, "new");
    successor.id = stored_id(server, 23);
    driver.rotate(&old, successor).await.unwrap();
}

/// So many that they are gathered.
async fn call_at_once(driver: &Arc<SqlDriver>) {
    let calls = (0..200).map(|number| {
        let driver = Arc::clone(driver);
        tokio::spawn(async move {
            driver.get(&record(number, "new").id).await.unwrap();
            driver.delete(&record(number, "new").id).await.unwrap();
        })
    });
    for call in futures::future::join_all(calls).await {
        call.unwrap();
    }
}

/// Each anchor alone, with all others, and with all else that narrows; over several pages.
async fn call_with_filters(driver: &SqlDriver) {
    for anchor in Anchor::ALL {
        for filter in filters(anchor) {
            let page = PageRequest::new(20).unwrap();
            let first = driver.list(&filter, &page).await.unwrap();
            let next = page.after(first.cursor);
            driver.list(&filter, &next).await.unwrap();
            driver.delete_tokens(&filter).await.unwrap();
        }
    }
}

fn filters(anchor: Anchor) -> Vec<TokenFilter> {
    let new = TokenFilter::new;
    let alone = match anchor {
        Anchor::Trust => new().with_trust("trust-7"),
        Anchor::User => new().with_user("user-100"),
        Anchor::Consumer => new().with_consumer("consumer-9"),
        // More than one step of a bulk revocation.
        Anchor::Tenant => new().with_tenant("tenant-0"),
        Anchor::Domain => new().with_domain("domain-2"),
    };
    let alone = alone.unwrap();
    let mut all = alone.clone();
    for other in Anchor::ALL.into_iter().filter(|other| *other > anchor) {
        all = match other {
            Anchor::Trust => all,
            Anchor::User => all.with_user("user-7").unwrap(),
            Anchor::Consumer => all.with_consumer("consumer-9").unwrap(),
            Anchor::Tenant => all.with_tenant("tenant-7").unwrap(),
            Anchor::Domain => all.with_domain("domain-2").unwrap(),
        };
    }
    let narrow = all.clone().with_audit_id("audit-1").unwrap();
    let narrow = narrow.with_audit_chain("audit-1").unwrap();
    let narrow = narrow.issued_before(at("2029-01-01T00:00:00Z"));
    // What narrows most comes first, so that there is something left for the last one.
    vec![narrow, all, alone]
}

/// Each statement's name, how it begins, something that stands in it, and the index that it reads by.
const KINDS: &[(&str, &str, &str, &str)] = &[
    ("check", "SELECT id, VERSION()", "", "PRIMARY"),
    ("fetch", "SELECT id, audit_id", "WHERE id IN (", "PRIMARY"),
    ("insert", "INSERT INTO tokens", "", "NULL"),
    (
        "remove expired",
        "DELETE tokens FROM tokens",
        "expires_at <=",
        "PRIMARY",
    ),
    ("taken", "SELECT id FROM tokens WHERE id IN", "", "PRIMARY"),
    (
        "lock what matches",
        "SELECT id FROM tokens FORCE INDEX (PRIMARY)",
        "_id = ",
        "PRIMARY",
    ),
    (
        "lock",
        "SELECT id FROM tokens FORCE INDEX (PRIMARY)",
        "FOR UPDATE",
        "PRIMARY",
    ),
    (
        "revoke one",
        "UPDATE tokens SET revoked_at",
        "AND revoked_at IS NULL",
        "PRIMARY",
    ),
    (
        "place of one",
        "UPDATE tokens SET revocation = LAST_INSERT_ID()",
        "",
        "PRIMARY",
    ),
    (
        "revoke",
        "UPDATE tokens FORCE INDEX (PRIMARY)",
        "FIELD(id,",
        "PRIMARY",
    ),
    ("count", "UPDATE store", "", "PRIMARY"),
    ("replace", "UPDATE tokens SET data", "", "PRIMARY"),
    ("old token", "SELECT revoked_at, successor", "", "PRIMARY"),
    ("rotate", "UPDATE tokens SET revoked_at", "", "PRIMARY"),
    ("last place", "SELECT revocations FROM store", "", "PRIMARY"),
    ("successors", "SELECT id FROM (SELECT", "", "PRIMARY"),
    ("lock one", "SELECT successor, CAST(", "", "PRIMARY"),
    ("feed", "SELECT revocation", "", "tokens_feed"),
    (
        "expired",
        "SELECT id FROM tokens",
        "SKIP LOCKED",
        "tokens_expiry",
    ),
    ("has expired", "SELECT CAST(EXISTS", "", "tokens_expiry"),
    (
        "list of a trust",
        "SELECT id, audit_id",
        "(tokens_trust)",
        "tokens_trust",
    ),
    (
        "list of a user",
        "SELECT id, audit_id",
        "(tokens_user)",
        "tokens_user",
    ),
    (
        "list of a consumer",
        "SELECT id, audit_id",
        "(tokens_consumer)",
        "tokens_consumer",
    ),
    (
        "list of a tenant",
        "SELECT id, audit_id",
        "(tokens_tenant)",
        "tokens_tenant",
    ),
    (
        "list of a domain",
        "SELECT id, audit_id",
        "(tokens_domain)",
        "tokens_domain",
    ),
    (
        "page of a trust",
        "SELECT id FROM tokens",
        "(tokens_trust)",
        "tokens_trust",
    ),
    (
        "page of a user",
        "SELECT id FROM tokens",
        "(tokens_user)",
        "tokens_user",
    ),
    (
        "page of a consumer",
        "SELECT id FROM tokens",
        "(tokens_consumer)",
        "tokens_consumer",
    ),
    (
        "page of a tenant",
        "SELECT id FROM tokens",
        "(tokens_tenant)",
        "tokens_tenant",
    ),
    (
        "page of a domain",
        "SELECT id FROM tokens",
        "(tokens_domain)",
        "tokens_domain",
    ),
];

/// What the server wrote of one statement.
struct Plan<'a> {
    text: &'a str,
    /// The lines of the plan, in columns.
    lines: Vec<Vec<&'a str>>,
}

impl<'a> Plan<'a> {
    /// None for statements that are not of the driver's calls, or read nothing.
    fn of(entry: &'a str) -> Option<Self> {
        if !entry.starts_with("tokenkeep[") || !entry.contains("Schema: plans ") {
            return None;
        }
        let (head, statement) = entry.split_once("SET timestamp=")?;
        let (_, text) = statement.split_once(";\n")?;
        let reads_nothing = ["START TRANSACTION", "COMMIT", "ROLLBACK", "SET "];
        if reads_nothing.iter().any(|start| text.starts_with(start)) {
            return None;
        }
        let lines = head
            .lines()
            .filter_map(|line| line.strip_prefix("# explain: "));
        let lines = lines.skip(1).map(|line| line.split('\t').collect());
        Some(Self {
            text,
            lines: lines.collect(),
        })
    }

    /// Gives the kind of the statement.
    fn check(&self) -> &'static str {
        let shown = format!("{:.200}\n{:?}", self.text, self.lines);
        let known = KINDS
            .iter()
            .find(|(_, start, part, _)| self.text.starts_with(start) && self.text.contains(part));
        let Some((kind, _, _, index)) = known else {
            panic!("a statement of an unknown kind: {shown}");
        };
        assert!(!self.lines.is_empty(), "no plan: {shown}");
        for line in &self.lines {
            // What a look at successors calls the tokens that they took the place of.
            let index = match line[2] {
                "tokens" => *index,
                "feed" => "tokens_feed",
                _ => continue,
            };
            let (access, key, rows, extra) = (line[3], line[5], line[9], line[12]);
            if *kind == "insert" {
                continue;
            }
            let by_key = ["const", "eq_ref", "ref", "range"].contains(&access);
            assert!(by_key && key == index, "{shown}");
            assert!(!extra.contains("filesort"), "{shown}");
            let read = rows.parse().unwrap_or(0.0);
            assert!(read <= MOST_ROWS, "{shown}");
        }
        kind
    }
}
