//! What the suite does to a MySQL or MariaDB database that a driver does not.

use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlSslMode};
use sqlx::{AssertSqlSafe, Connection, Row};
use tokenkeep::Result;

use super::target::{Encryption, Target};
use super::unusable;

/// What a server that is read only answers to a write.
const READ_ONLY: u16 = 1290;

async fn connect(target: &Target) -> Result<MySqlConnection> {
    let (host, port) = target.host();
    let options = MySqlConnectOptions::new()
        .host(host)
        .port(port)
        .username(target.user())
        .password(target.password())
        .database(&target.namespace)
        .ssl_mode(match target.encryption {
            Encryption::None => MySqlSslMode::Disabled,
            Encryption::Require => MySqlSslMode::Required,
            Encryption::VerifyFull => MySqlSslMode::VerifyIdentity,
        });
    let options = match &target.socket {
        Some(path) => options.socket(path),
        None => options,
    };
    let [ca, certificate, key] = &target.files;
    let options = match ca {
        Some(ca) => options.ssl_ca(ca),
        None => options,
    };
    let options = match (certificate, key) {
        (Some(certificate), Some(key)) => options.ssl_client_cert(certificate).ssl_client_key(key),
        _ => options,
    };
    MySqlConnection::connect_with(&options)
        .await
        .map_err(unusable)
}

/// Every value of every table of the database, as it is.
pub(super) async fn contents(target: &Target) -> Result<Vec<u8>> {
    let mut connection = connect(target).await?;
    let tables = sqlx::raw_sql("SHOW TABLES").fetch_all(&mut connection);
    let mut contents = Vec::new();
    for table in tables.await.map_err(unusable)? {
        let table: String = table.try_get_unchecked(0).map_err(unusable)?;
        let rows = format!("SELECT * FROM {}", quoted(&table));
        let rows = sqlx::raw_sql(AssertSqlSafe(rows)).fetch_all(&mut connection);
        for row in rows.await.map_err(unusable)? {
            for index in 0..row.len() {
                let value: Option<Vec<u8>> = row.try_get_unchecked(index).map_err(unusable)?;
                contents.extend(value.unwrap_or_default());
                contents.push(b'\n');
            }
        }
    }
    Ok(contents)
}

/// Lets the database's tables refuse every write to a row with the code of a read-only server, or no
/// more. Takes the right to make triggers, also under a binary log.
pub(super) async fn refuse_writes(target: &Target, on: bool) -> Result<()> {
    let mut connection = connect(target).await?;
    for table in ["tokens", "store"] {
        for event in ["insert", "update", "delete"] {
            let name = format!("refuse_{event}_{table}");
            let statement = if on {
                format!(
                    "CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW SIGNAL SQLSTATE \
                     'HY000' SET MYSQL_ERRNO = {READ_ONLY}, MESSAGE_TEXT = 'no writes now'"
                )
            } else {
                format!("DROP TRIGGER IF EXISTS {name}")
            };
            let done = sqlx::raw_sql(AssertSqlSafe(statement));
            done.execute(&mut connection).await.map_err(unusable)?;
        }
    }
    Ok(())
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}
