//! Databases that are not ours: nothing is made in them, and they are not removed.

use tokenkeep_core::{ErrorKind, SystemClock};
use tokenkeep_sql::mysql;
use tokenkeep_testkit::Server;

use crate::support::{open, options, shared_server, system_clock};

/// What other applications keep in a database.
const OTHERS: [&str; 7] = [
    "CREATE TABLE tokens (id INT PRIMARY KEY, owner INT); INSERT INTO tokens VALUES (7, 1)",
    "CREATE TABLE tokens (token VARCHAR(64), owner INT); CREATE TABLE store (x INT)",
    "CREATE TABLE migrations (id INT PRIMARY KEY, migration TEXT, batch INT)",
    "CREATE TABLE migrations (version VARCHAR(20) PRIMARY KEY)",
    "CREATE TABLE customers (id INT PRIMARY KEY)",
    "CREATE VIEW tokens AS SELECT 1 AS id",
    "CREATE FUNCTION f() RETURNS INT DETERMINISTIC RETURN 42; CREATE PROCEDURE p() SELECT 1; \
     CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1",
];

/// All that a database holds, with each table's columns.
fn contents(server: &Server, database: &str) -> String {
    let sql = format!(
        "SELECT table_name, column_name, column_type FROM information_schema.columns \
         WHERE table_schema = '{database}' ORDER BY 1, 2; \
         SELECT routine_name FROM information_schema.routines \
         WHERE routine_schema = '{database}' ORDER BY 1; \
         SELECT event_name FROM information_schema.events WHERE event_schema = '{database}'; \
         SELECT schema_name FROM information_schema.schemata WHERE schema_name = '{database}'"
    );
    server.sql(&sql).unwrap()
}

#[tokio::test]
async fn nothing_is_made_or_altered_in_another_applications_database_and_it_stays() {
    let Some(server) = shared_server() else {
        return;
    };
    for (number, made) in OTHERS.into_iter().enumerate() {
        let database = format!("foreign_{number}");
        let sql = format!("CREATE DATABASE {database}; USE {database}; {made}");
        server.sql(&sql).unwrap();
        let before = contents(server, &database);
        let options = options(server, &database);
        for error in [
            mysql::open(&options, system_clock()).await.unwrap_err(),
            mysql::migrate(&options, &SystemClock).await.unwrap_err(),
            mysql::drop_namespace(&options).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Config, "{made}: {error}");
        }
        assert_eq!(contents(server, &database), before, "{made}");
    }
}

#[tokio::test]
async fn a_store_with_something_beside_it_is_used_and_not_removed() {
    let Some(server) = shared_server() else {
        return;
    };
    // What goes with a table or a database shows only to who may make it.
    let mut options = options(server, "foreign_beside");
    options.user = server.admin().to_owned();
    options.password = Some(server.admin_password().to_owned().into());
    open(&options, system_clock()).await;
    for (made, gone) in [
        ("VIEW v AS SELECT 1", "VIEW v"),
        ("PROCEDURE p() SELECT 1", "PROCEDURE p"),
        ("EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1", "EVENT e"),
        (
            "TRIGGER t AFTER DELETE ON tokens FOR EACH ROW SET @x = 1",
            "TRIGGER t",
        ),
    ] {
        let sql = format!(
            "SET GLOBAL log_bin_trust_function_creators = 1; USE foreign_beside; CREATE {made}"
        );
        server.sql(&sql).unwrap();
        open(&options, system_clock()).await;
        let error = mysql::drop_namespace(&options).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{made}: {error}");
        let sql = format!("USE foreign_beside; DROP {gone}");
        server.sql(&sql).unwrap();
    }
    mysql::drop_namespace(&options).await.unwrap();
    assert_eq!(contents(server, "foreign_beside"), "");
}

/// What a node leaves that ended after it had made the first table.
#[tokio::test]
async fn a_store_of_which_only_the_mark_was_made_is_removed() {
    let Some(server) = shared_server() else {
        return;
    };
    server
        .sql(
            "CREATE DATABASE foreign_cut; USE foreign_cut; \
             CREATE TABLE migrations (version BIGINT NOT NULL PRIMARY KEY, \
             name VARBINARY(255) NOT NULL, applied_at BIGINT NOT NULL)",
        )
        .unwrap();
    let options = options(server, "foreign_cut");
    mysql::drop_namespace(&options).await.unwrap();
    assert_eq!(contents(server, "foreign_cut"), "");
}
