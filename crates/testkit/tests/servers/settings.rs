//! What the servers are set to.

use tokenkeep_testkit::{Result, Settings};

use crate::{Kind, Test, Told, ensure};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("is_as_durable_as_in_production", durable),
    ("is_relaxed_where_asked_to_be", relaxed),
    ("takes_settings", takes_settings),
    ("has_an_odd_time_zone", time_zone),
    ("the_application_is_no_administrator", application),
    ("the_url_encodes_the_password", url),
    ("speaks_tls", speaks_tls),
];

/// The value of a setting, by the name that the server has for it.
fn setting(kind: Kind, settings: &Settings, name: &str) -> Result<String> {
    let server = (kind.start)(settings)?;
    let query = match kind.name {
        "postgres" => format!("SHOW {name}"),
        "mariadb" => format!("SELECT @@GLOBAL.{name}"),
        _ => format!("CONFIG GET {name}"),
    };
    Ok(server.sql(&query)?.trim().replace('\n', " "))
}

fn is(kind: Kind, settings: &Settings, wanted: &[(&str, &str)]) -> Result<Told> {
    for (name, wanted) in wanted {
        let found = setting(kind, settings, name)?;
        if !found.ends_with(wanted) {
            return Ok(Err(format!("{name} is {found}, not {wanted}").into()));
        }
    }
    Ok(Ok(()))
}

fn durable(kind: Kind) -> Result<Told> {
    let wanted: &[_] = match kind.name {
        "postgres" => &[("fsync", "on"), ("synchronous_commit", "on")],
        "mariadb" => &[
            ("log_bin", "1"),
            ("sync_binlog", "1"),
            ("innodb_flush_log_at_trx_commit", "1"),
        ],
        _ => &[("appendonly", "yes"), ("appendfsync", "always")],
    };
    is(kind, &Settings::new(), wanted)
}

fn relaxed(kind: Kind) -> Result<Told> {
    let wanted: &[_] = match kind.name {
        "postgres" => &[("fsync", "off"), ("synchronous_commit", "off")],
        "mariadb" => &[("log_bin", "0"), ("innodb_flush_log_at_trx_commit", "0")],
        _ => &[("appendfsync", "everysec")],
    };
    is(kind, &Settings::new().relaxed(), wanted)
}

/// Ours give way.
fn takes_settings(kind: Kind) -> Result<Told> {
    let name = match kind.name {
        "postgres" => "max_connections",
        "mariadb" => "max-connections",
        _ => "maxclients",
    };
    let settings = Settings::new().with_option(name, "50");
    is(kind, &settings, &[(&name.replace('-', "_"), "50")])
}

fn time_zone(kind: Kind) -> Result<Told> {
    match kind.name {
        "postgres" => is(kind, &Settings::new(), &[("timezone", "Asia/Kathmandu")]),
        "mariadb" => is(kind, &Settings::new(), &[("time_zone", "+05:45")]),
        // Its sessions have none; what starts it has.
        _ => {
            let server = (kind.start)(&Settings::new())?;
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.pid()));
            let stat = stat.unwrap_or_default();
            let starter = stat
                .rsplit(") ")
                .next()
                .and_then(|rest| rest.split(' ').nth(1));
            let starter = starter.unwrap_or_default();
            let environment = std::fs::read(format!("/proc/{starter}/environ"));
            let zone = b"TZ=Asia/Kathmandu\0";
            let set = environment.is_ok_and(|all| all.windows(zone.len()).any(|some| some == zone));
            Ok(ensure(set, "no time zone"))
        }
    }
}

fn application(kind: Kind) -> Result<Told> {
    let server = (kind.start)(&Settings::new())?;
    let (query, refused): (_, &[_]) = match kind.name {
        "postgres" => (
            "SELECT rolsuper OR rolcreatedb FROM pg_roles WHERE rolname = 'tokenkeep'",
            &["t"],
        ),
        "mariadb" => (
            "SHOW GRANTS FOR 'tokenkeep'@'%'",
            &["SUPER", "READ_ONLY ADMIN", "READ ONLY ADMIN", "ALL PRIV"],
        ),
        _ => ("ACL DRYRUN tokenkeep CONFIG SET maxclients 9", &["OK"]),
    };
    let told = server.sql(query)?;
    let mut refused = refused.iter();
    Ok(ensure(
        !told.trim().is_empty() && !refused.any(|text| told.contains(text)),
        &told,
    ))
}

fn url(kind: Kind) -> Result<Told> {
    let server = (kind.start)(&Settings::new())?;
    let url = server.url("here");
    let end = format!("@127.0.0.1:{}", server.port());
    Ok(ensure(
        url.contains(&end) && url.ends_with("?namespace=here") && !url.contains(server.password()),
        &url,
    ))
}

/// The client program that comes with the server verifies it by our authority, and by no other.
fn speaks_tls(kind: Kind) -> Result<Told> {
    let server = (kind.start)(&Settings::new().with_tls())?;
    let Some(tls) = server.tls() else {
        return Ok(Err("no files".into()));
    };
    let port = server.port().to_string();
    let connects = |ca: &std::path::Path| {
        let mut client = match kind.name {
            "postgres" => {
                let mut psql = std::process::Command::new("psql");
                let (user, database) = (server.user(), server.database());
                psql.arg(format!(
                    "host=localhost port={port} user={user} dbname={database} \
                     sslmode=verify-full sslrootcert={}",
                    ca.display()
                ));
                psql.args(["-c", "SELECT 1"])
                    .env("PGPASSWORD", server.password());
                psql
            }
            "mariadb" => {
                let mut mariadb = std::process::Command::new("mariadb");
                mariadb
                    .args(["--no-defaults", "--host=127.0.0.1", "--port", &port])
                    .arg(format!("--user={}", server.user()))
                    .arg(format!("--ssl-ca={}", ca.display()))
                    .args(["--ssl-verify-server-cert", "--execute=SELECT 1"])
                    .env("MYSQL_PWD", server.password());
                mariadb
            }
            _ => {
                let mut redis = std::process::Command::new(format!("{}-cli", kind.name));
                redis
                    .args(["-h", "localhost", "-p", &port, "--tls", "-e", "--cacert"])
                    .arg(ca)
                    .args(["--user", server.user(), "--no-auth-warning", "PING"])
                    .env("REDISCLI_AUTH", server.password());
                redis
            }
        };
        client.output().is_ok_and(|output| output.status.success())
    };
    Ok(ensure(connects(&tls.ca), "refuses our authority")
        .and_then(|()| ensure(!connects(&tls.stranger), "takes any authority")))
}
