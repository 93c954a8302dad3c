//! How the server executes the driver's statements on a table of 100,000 rows.
//!
//! The server itself writes down the plan of each statement that it executes, so that the plans are
//! those of the driver's own sessions and values, and no statement can be left out of a list: one of
//! an unknown kind fails the test, and so does a kind that was not seen.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::Arc;

use tokenkeep_core::{Anchor, PageRequest, Replacement, TokenDriver, TokenFilter};
use tokenkeep_sql::SqlDriver;
use tokenkeep_testkit::{Server, Settings};

use crate::support::{at, manual_clock, open, options, own_server, record};

/// Often enough that the server stops making a plan for each value.
const TIMES: u64 = 8;

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
    let settings = Settings::new()
        .relaxed()
        .with_option("session_preload_libraries", "auto_explain")
        .with_option("auto_explain.log_min_duration", "0");
    let Some(server) = own_server(&settings) else {
        return;
    };
    let driver = Arc::new(open(&options(&server, "plans"), manual_clock()).await);
    server.sql(ROWS).unwrap();
    server.sql("VACUUM ANALYZE plans.tokens").unwrap();
    call_everything(&driver).await;
    let plans = plans(&server);
    for plan in &plans {
        plan.check();
    }
    let seen: BTreeSet<Kind> = plans.iter().map(Plan::kind).collect();
    let all: BTreeSet<Kind> = Kind::all().collect();
    assert_eq!(seen, all);
}

async fn call_everything(driver: &Arc<SqlDriver>) {
    driver.check().await.unwrap();
    for round in 0..TIMES {
        call_one_by_one(driver, round).await;
        let many = (0..300).map(|number| record(1_000 * round + number, "new"));
        driver.create_many(many.collect()).await.unwrap();
        call_at_once(driver, round).await;
        call_with_filters(driver, round).await;
        let page = PageRequest::new(1_000).unwrap();
        let first = driver.list_revoked(&page).await.unwrap();
        driver
            .list_revoked(&page.after(first.cursor))
            .await
            .unwrap();
        let limit = NonZeroU32::new(1_100).unwrap();
        assert_eq!(driver.flush_expired(limit).await.unwrap().removed, 1_100);
    }
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
async fn call_at_once(driver: &Arc<SqlDriver>, round: u64) {
    let calls = (0..200).map(|number| {
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

/// A statement of the driver, told by its text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Check,
    FetchOne,
    FetchMany,
    InsertOne,
    InsertMany,
    Revoke,
    RevokePage { index: &'static str, is_first: bool },
    List { index: &'static str, is_first: bool },
    Revoked,
    Replace,
    Rotate,
    Flush,
    HasExpired,
}

const ANCHORS: [(&str, &str); 5] = [
    ("trust_id = $", "tokens_trust"),
    ("user_id = $", "tokens_user"),
    ("consumer_id = $", "tokens_consumer"),
    ("tenant_id = $", "tokens_tenant"),
    ("domain_id = $", "tokens_domain"),
];

impl Kind {
    fn all() -> impl Iterator<Item = Self> {
        let single = [
            Self::Check,
            Self::FetchOne,
            Self::FetchMany,
            Self::InsertOne,
            Self::InsertMany,
            Self::Revoke,
            Self::Revoked,
            Self::Replace,
            Self::Rotate,
            Self::Flush,
            Self::HasExpired,
        ];
        let with_filter = ANCHORS.into_iter().flat_map(|(_, index)| {
            [true, false].into_iter().flat_map(move |is_first| {
                let list = Self::List { index, is_first };
                // Only these two have more tokens than one step looks at.
                let has_more = is_first || matches!(index, "tokens_tenant" | "tokens_domain");
                let page = has_more.then_some(Self::RevokePage { index, is_first });
                [Some(list), page].into_iter().flatten()
            })
        });
        single.into_iter().chain(with_filter)
    }

    fn of(text: &str) -> Self {
        let starts: &[(&str, Self)] = &[
            ("SELECT id, pg_catalog.", Self::Check),
            (
                "INSERT INTO \"plans\".tokens AS stored (id, audit_id, audit_chain_id, user_id, tenant_id, domain_id, trust_id, consumer_id, issued_at, expires_at, data, version) VALUES",
                Self::InsertOne,
            ),
            (
                "INSERT INTO \"plans\".tokens AS stored (id, audit_id, audit_chain_id, user_id, tenant_id, domain_id, trust_id, consumer_id, issued_at, expires_at, data, version) SELECT",
                Self::InsertMany,
            ),
            ("WITH target AS", Self::Revoke),
            ("SELECT revocation, ", Self::Revoked),
            ("UPDATE \"plans\".tokens SET", Self::Replace),
            ("WITH old AS", Self::Rotate),
            ("DELETE FROM", Self::Flush),
            (
                "SELECT id FROM \"plans\".tokens WHERE expires_at",
                Self::HasExpired,
            ),
        ];
        if let Some((_, kind)) = starts.iter().find(|(start, _)| text.starts_with(start)) {
            return kind.clone();
        }
        if text.ends_with("WHERE id = $1") {
            return Self::FetchOne;
        }
        if text.ends_with("WHERE id = ANY($1)") {
            return Self::FetchMany;
        }
        let leading = text.split("WHERE ").nth(1).unwrap();
        let anchor = ANCHORS.iter().find(|(start, _)| leading.starts_with(start));
        let Some((_, index)) = anchor else {
            panic!("a statement of an unknown kind: {text}");
        };
        let is_first = !leading.contains(" AND id > $");
        match text.starts_with("WITH page AS") {
            true => Self::RevokePage { index, is_first },
            false => Self::List { index, is_first },
        }
    }
}

/// What the server wrote of one statement.
struct Plan {
    text: String,
    lines: Vec<String>,
}

impl Plan {
    fn kind(&self) -> Kind {
        Kind::of(&self.text)
    }

    fn has(&self, part: &str) -> bool {
        self.lines.iter().any(|line| line.contains(part))
    }

    /// The lines of a CTE, up to the next part of the same depth.
    fn part(&self, name: &str) -> Vec<&String> {
        let depth = |line: &String| line.len() - line.trim_start().len();
        let mut lines = self.lines.iter();
        let start = lines
            .find(|line| line.trim() == format!("CTE {name}"))
            .unwrap();
        let inner = lines.take_while(|line| depth(line) > depth(start));
        inner.collect()
    }

    fn check(&self) {
        let shown = format!("{}\n{}", self.text, self.lines.join("\n"));
        for scan in [
            "Seq Scan on tokens",
            "Bitmap",
            "Index Scan using tokens_expiry on tokens  (cost",
        ] {
            let is_wanted = matches!(self.kind(), Kind::Flush | Kind::HasExpired);
            let is_index_of_expiry = scan.contains("expiry");
            assert!(
                !self.has(scan) || (is_wanted && is_index_of_expiry),
                "{shown}"
            );
        }
        match self.kind() {
            Kind::Check | Kind::InsertOne | Kind::InsertMany => {}
            Kind::FetchOne | Kind::FetchMany | Kind::Revoke | Kind::Replace | Kind::Rotate => {
                assert!(self.has("using tokens_pkey"), "{shown}");
            }
            Kind::List { index, .. } => {
                assert!(self.has(&format!("using {index} on")), "{shown}");
                assert!(!self.has("Sort"), "{shown}");
            }
            Kind::RevokePage { index, .. } => {
                let page = self.part("page");
                let has = |part: &str| page.iter().any(|line| line.contains(part));
                assert!(has(&format!("using {index} on")) && !has("Sort"), "{shown}");
                assert!(self.has("using tokens_pkey"), "{shown}");
            }
            Kind::Revoked => {
                assert!(self.has("using tokens_feed"), "{shown}");
                assert!(!self.has("Sort"), "{shown}");
            }
            Kind::Flush => {
                assert!(
                    self.has("using tokens_expiry") && self.has("using tokens_pkey"),
                    "{shown}"
                );
                assert!(!self.has("Sort"), "{shown}");
            }
            Kind::HasExpired => {
                assert!(
                    self.has("using tokens_expiry") && !self.has("Sort"),
                    "{shown}"
                );
            }
        }
    }
}

/// The plans of the statements on this test's tables.
fn plans(server: &Server) -> Vec<Plan> {
    let log = std::fs::read_to_string(server.folder().join("log")).unwrap();
    let mut plans: Vec<Plan> = Vec::new();
    for line in log.lines() {
        let Some(inner) = line.strip_prefix('\t') else {
            continue;
        };
        match (inner.strip_prefix("Query Text: "), plans.last_mut()) {
            (Some(text), _) => plans.push(Plan {
                text: text.to_owned(),
                lines: Vec::new(),
            }),
            (None, Some(plan)) => plan.lines.push(inner.to_owned()),
            (None, None) => {}
        }
    }
    // The rows of this test were put there by other statements than the driver's.
    let is_ours = |plan: &Plan| {
        plan.text.contains("\"plans\".tokens") || plan.text.contains("\"plans\".store")
    };
    plans.retain(is_ours);
    plans
}
