//! What the suite does to a PostgreSQL schema that a driver does not.

use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{AssertSqlSafe, Connection, Row};
use tokenkeep::Result;

use super::target::{Encryption, Target};
use super::unusable;

async fn connect(target: &Target) -> Result<PgConnection> {
    let (host, port) = target.host();
    let options = PgConnectOptions::new_without_pgpass()
        .host(target.socket.as_deref().unwrap_or(host))
        .port(port)
        .username(target.user())
        .password(target.password())
        .database(target.servers.path.first().map_or("", String::as_str))
        .ssl_mode(match target.encryption {
            Encryption::None => PgSslMode::Disable,
            Encryption::Require => PgSslMode::Require,
            Encryption::VerifyFull => PgSslMode::VerifyFull,
        });
    let [ca, certificate, key] = &target.files;
    let options = match ca {
        Some(ca) => options.ssl_root_cert(ca),
        None => options,
    };
    let options = match (certificate, key) {
        (Some(certificate), Some(key)) => options.ssl_client_cert(certificate).ssl_client_key(key),
        _ => options,
    };
    PgConnection::connect_with(&options).await.map_err(unusable)
}

/// Every row of every table of the schema, as text; binary columns in hexadecimal digits.
pub(super) async fn contents(target: &Target) -> Result<Vec<u8>> {
    let mut connection = connect(target).await?;
    let tables = "SELECT table_name::text FROM information_schema.tables WHERE table_schema = $1";
    let tables = sqlx::query(tables).bind(&target.namespace);
    let tables = tables.fetch_all(&mut connection).await.map_err(unusable)?;
    let mut contents = Vec::new();
    for table in tables {
        let table: String = table.try_get(0).map_err(unusable)?;
        let rows = format!("SELECT t::text FROM {} t", qualified(target, &table));
        let rows = sqlx::query(AssertSqlSafe(rows)).fetch_all(&mut connection);
        for row in rows.await.map_err(unusable)? {
            let row: String = row.try_get(0).map_err(unusable)?;
            contents.extend_from_slice(row.as_bytes());
            contents.push(b'\n');
        }
    }
    Ok(contents)
}

/// Lets the schema's tables refuse every write with the code of a server that takes none, or no more.
pub(super) async fn refuse_writes(target: &Target, on: bool) -> Result<()> {
    let mut connection = connect(target).await?;
    let mut statements = String::new();
    let refuse = qualified(target, "refuse_writes");
    if on {
        statements += &format!(
            "CREATE FUNCTION {refuse}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             RAISE EXCEPTION 'no writes now' USING ERRCODE = 'read_only_sql_transaction'; \
             END $$;"
        );
    }
    for table in ["tokens", "store"] {
        let table = qualified(target, table);
        statements += &if on {
            format!(
                "CREATE TRIGGER refuse_writes BEFORE INSERT OR UPDATE OR DELETE ON {table} \
                 EXECUTE FUNCTION {refuse}();"
            )
        } else {
            format!("DROP TRIGGER refuse_writes ON {table};")
        };
    }
    if !on {
        statements += &format!("DROP FUNCTION {refuse}();");
    }
    let done = sqlx::raw_sql(AssertSqlSafe(statements))
        .execute(&mut connection)
        .await;
    done.map(drop).map_err(unusable)
}

fn qualified(target: &Target, name: &str) -> String {
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    format!("{}.{}", quoted(&target.namespace), quoted(name))
}
