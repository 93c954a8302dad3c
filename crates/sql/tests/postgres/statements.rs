//! What a server sees of the driver: how many statements, and how many commits.

use std::num::NonZeroU32;
use std::time::Duration;

use tokenkeep_core::{Clock, TokenDriver};
use tokenkeep_sql::postgres;
use tokenkeep_testkit::{Server, Settings};

use crate::holder::until;
use crate::support::{id, manual_clock, open, options, own_server, record};

/// What the server wrote of the driver's own statements; one written down is one executed.
fn statements(server: &Server) -> Vec<String> {
    let log = std::fs::read_to_string(server.folder().join("log")).unwrap();
    let executed = log.lines().filter(|line| line.contains("execute sqlx_s"));
    let driver = executed.filter(|line| line.contains("\"spoken\"."));
    driver.map(str::to_owned).collect()
}

#[tokio::test]
async fn one_statement_a_create_and_one_commit_a_batch_of_a_flush() {
    let settings = Settings::new()
        .relaxed()
        .with_option("log_statement", "all");
    let Some(server) = own_server(&settings) else {
        return;
    };
    let clock = manual_clock();
    let options = options(&server, "spoken");
    let driver = open(&options, clock.clone()).await;
    let soon = clock.now().saturating_add(Duration::from_secs(5));
    let opened = statements(&server).len();

    let mut first = record(0, "ada");
    first.expires_at = soon;
    driver.create(first).await.unwrap();
    let after_create = statements(&server);
    let sent: Vec<_> = after_create[opened..].iter().collect();
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert!(sent[0].contains("INSERT INTO"), "{sent:?}");

    let records = (1..2_500).map(|number| {
        let mut record = record(number, "ada");
        record.expires_at = soon;
        record
    });
    driver.create_many(records.collect()).await.unwrap();
    clock.advance(Duration::from_secs(6));
    let before = statements(&server).len();
    let flushed = driver.flush_expired(NonZeroU32::MAX).await.unwrap();
    assert_eq!((flushed.removed, flushed.more), (2_500, false));
    // Three batches, a step for what stands before the last one, and the look at what is left; each a
    // transaction of its own.
    let after_flush = statements(&server);
    let sent: Vec<_> = after_flush[before..].iter().collect();
    let count = |verb: &str| sent.iter().filter(|line| line.contains(verb)).count();
    assert_eq!(count("DELETE FROM"), 4, "{sent:?}");
    assert_eq!(sent.len(), 5, "{sent:?}");
    let log = std::fs::read_to_string(server.folder().join("log")).unwrap();
    let begun = log.lines().filter(|line| line.contains("BEGIN")).count();
    let steps = postgres::schema_status(&options).await.unwrap().steps.len();
    assert_eq!(
        begun, steps,
        "only steps of the schema are longer transactions"
    );
}

#[tokio::test]
async fn fifty_callers_share_one_connection() {
    let Some(server) = own_server(&Settings::new().relaxed()) else {
        return;
    };
    let mut options = options(&server, "spoken");
    options.common.pool_size = 1;
    let driver = std::sync::Arc::new(open(&options, manual_clock()).await);
    let callers = (0..50).map(|number| {
        let driver = std::sync::Arc::clone(&driver);
        tokio::spawn(async move {
            driver.create(record(number, "ada")).await.unwrap();
            driver.get(&id(number)).await.unwrap();
            driver.delete(&id(number)).await.unwrap();
            driver.get(&id(number)).await.unwrap_err()
        })
    });
    for caller in futures::future::join_all(callers).await {
        assert_eq!(caller.unwrap().kind(), tokenkeep_core::ErrorKind::NotFound);
    }
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tokenkeep'";
    // The server may still have to notice that the one is closed that opened the store.
    until("there is one session", || {
        server.sql(sessions).unwrap().trim() == "1"
    });
}

#[tokio::test]
async fn sessions_have_the_settings_that_the_statements_count_on() {
    let settings = Settings::new()
        .relaxed()
        .with_option("default_transaction_isolation", "serializable")
        .with_option("row_security", "on")
        .with_option("plan_cache_mode", "force_generic_plan")
        .with_option("enable_indexscan", "off")
        .with_option("idle_session_timeout", "1h")
        .with_option("synchronous_commit", "off")
        .with_option("log_statement", "all");
    let Some(server) = own_server(&settings) else {
        return;
    };
    let mut options = options(&server, "spoken");
    options.common.timeout = Duration::from_secs(8);
    let driver = open(&options, manual_clock()).await;
    // A constraint that looks at the session of the statement that it stands in.
    server
        .sql(
            "CREATE FUNCTION public.settings() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             INSERT INTO public.seen SELECT concat_ws(' ', \
             current_setting('transaction_isolation'), current_setting('synchronous_commit'), \
             current_setting('statement_timeout'), current_setting('lock_timeout'), \
             current_setting('idle_in_transaction_session_timeout'), \
             current_setting('idle_session_timeout'), current_setting('row_security'), \
             current_setting('plan_cache_mode'), current_setting('enable_indexscan'), \
             current_setting('search_path')); RETURN NEW; END $$; \
             CREATE TABLE public.seen (line text); GRANT INSERT ON public.seen TO tokenkeep; \
             CREATE TRIGGER settings AFTER INSERT ON spoken.tokens \
             FOR EACH ROW EXECUTE FUNCTION public.settings()",
        )
        .unwrap();
    driver.create(record(1, "ada")).await.unwrap();
    let seen = server.sql("SELECT line FROM public.seen").unwrap();
    assert_eq!(
        seen.trim(),
        "read committed on 7200ms 5400ms 8s 0 off auto on pg_catalog, pg_temp"
    );
}
