//! Steps of the schema that take long, and servers that fall silent in the middle of one.

use std::time::Duration;

use tokenkeep_core::ErrorKind;
use tokenkeep_sql::postgres;
use tokenkeep_testkit::Settings;
use tokio::time::timeout;

use crate::holder::{Holder, until};
use crate::support::{options, own_server, system_clock};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_takes_as_long_as_the_data_need() {
    let Some(server) = own_server(&Settings::new().relaxed()) else {
        return;
    };
    server
        .sql(
            "CREATE FUNCTION public.dawdle() RETURNS event_trigger LANGUAGE plpgsql AS \
             $$ BEGIN PERFORM pg_sleep(6); END $$; \
             CREATE EVENT TRIGGER dawdle ON ddl_command_end WHEN TAG IN ('ALTER TABLE') \
             EXECUTE FUNCTION public.dawdle()",
        )
        .unwrap();
    let mut options = options(&server, "slow_steps");
    options.common.timeout = Duration::from_secs(4);
    let status = postgres::migrate(&options, &*system_clock()).await.unwrap();
    assert!(status.is_newest());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_falls_silent_in_a_step_ends_the_wait() {
    let Some(server) = own_server(&Settings::new().relaxed()) else {
        return;
    };
    let patient = options(&server, "slow_steps");
    postgres::migrate(&patient, &*system_clock()).await.unwrap();
    server
        .sql(
            "DROP INDEX IF EXISTS slow_steps.tokens_feed; \
             ALTER TABLE slow_steps.tokens DROP COLUMN revocation; \
             ALTER TABLE slow_steps.store DROP COLUMN revocations; \
             DELETE FROM slow_steps.migrations WHERE version = 2",
        )
        .unwrap();
    let holder = Holder::new(&server, "LOCK TABLE slow_steps.tokens IN ACCESS SHARE MODE");
    let migration = tokio::spawn({
        let mut options = patient.clone();
        options.common.timeout = Duration::from_secs(8);
        async move { postgres::migrate(&options, &*system_clock()).await }
    });
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' \
                   AND application_name = 'tokenkeep'";
    until("the step waits", || {
        server.sql(waiting).unwrap().trim() == "1"
    });
    server.freeze().unwrap();
    let ended = timeout(Duration::from_secs(60), migration).await;
    server.thaw();
    let error = ended.unwrap().unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Indeterminate, "{error}");
    drop(holder);
    until("the frozen session is gone", || {
        server.sql(waiting).unwrap().trim() == "0"
    });
    let status = postgres::migrate(&patient, &*system_clock()).await.unwrap();
    assert!(status.is_newest());
}
