//! What SQLite means to do for each statement, with 100,000 tokens and fresh statistics.

use std::sync::Arc;

use sqlx::{AssertSqlSafe, ConnectOptions as _, Row as _, SqliteConnection};
use tokenkeep_core::{ManualClock, Timestamp};

use super::statements;
use crate::options::SqliteOptions;

const FILL: &str = "\
    WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 100000)
    INSERT INTO tokens
    SELECT randomblob(32), hex(randomblob(16)), hex(randomblob(16)), 'user-' || (n % 5000),
        'tenant-' || (n % 300), iif(n % 2, 'domain-' || (n % 3), NULL),
        iif(n % 10, NULL, 'trust-' || n), iif(n % 5, NULL, 'consumer-' || (n % 20)),
        n, n * 1000, 1, iif(n % 7, NULL, n), NULL, zeroblob(100), iif(n % 7, NULL, n / 7)
    FROM numbers;
    UPDATE store SET revocations = 100000 / 7;
    ANALYZE;";

async fn plan(connection: &mut SqliteConnection, statement: &str) -> Vec<String> {
    let explain = format!("EXPLAIN QUERY PLAN {statement}");
    let rows = sqlx::query(AssertSqlSafe(explain));
    let rows = rows.fetch_all(connection).await.unwrap();
    rows.iter().map(|row| row.get::<String, _>(3)).collect()
}

fn scans(plan: &[String]) -> bool {
    plan.iter().any(|step| step.starts_with("SCAN tokens"))
}

/// Sorting what an index could give in order reads all of it before the first row.
fn sorts(plan: &[String]) -> bool {
    plan.iter().any(|step| step.contains("TEMP B-TREE"))
}

#[tokio::test]
async fn no_statement_scans_the_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteOptions::new(folder.path().join("plans.db"));
    let clock = Arc::new(ManualClock::new(Timestamp::MIN));
    super::migrate(&options, &clock).await.unwrap();
    let file = sqlx::sqlite::SqliteConnectOptions::new().filename(&options.path);
    let mut connection = file.connect().await.unwrap();
    sqlx::raw_sql(FILL).execute(&mut connection).await.unwrap();

    // A statement without an index is told from the others.
    let bad = "SELECT id FROM tokens WHERE audit_id = ? ORDER BY audit_chain_id";
    let bad = plan(&mut connection, bad).await;
    assert!(scans(&bad) && sorts(&bad), "{bad:?}");

    let every = statements::every();
    assert!(every.len() > 60);
    for statement in every {
        let plan = plan(&mut connection, &statement).await;
        assert!(
            !plan.is_empty() || statement.starts_with("INSERT"),
            "{statement}"
        );
        assert!(!scans(&plan), "{statement}\n{plan:#?}");
        let is_read = statement.starts_with("SELECT");
        assert!(!(is_read && sorts(&plan)), "{statement}\n{plan:#?}");
    }
}
