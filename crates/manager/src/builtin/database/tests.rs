mod named_files;

use std::time::Duration;

use tokenkeep_sql::{Migrations, SqlOptions, Tls, TlsMode};

use super::*;
use crate::{Durability, ErrorKind};

const POSTGRES: Kind = Kind {
    port: 5432,
    socket: "host",
    namespace: Some("tokenkeep"),
};
const MYSQL: Kind = Kind {
    port: 3306,
    socket: "socket",
    namespace: None,
};

fn options(url: &str, kind: &Kind) -> Result<ServerOptions> {
    read_now(&url.parse()?, kind)
}

fn good(url: &str, kind: &Kind) -> ServerOptions {
    options(url, kind).unwrap_or_else(|error| panic!("{url}: {error}"))
}

fn wrong(url: &str, kind: &Kind) -> String {
    let error = options(url, kind).err();
    let error = error.unwrap_or_else(|| panic!("{url} should have been refused"));
    assert_eq!(error.kind(), ErrorKind::Config, "{url}: {error}");
    error.message().to_owned()
}

fn password(options: &ServerOptions) -> Option<&str> {
    options.password.as_deref().map(String::as_str)
}

/// Host, port, user, password, database and namespace.
type Place<'a> = (&'a str, u16, &'a str, Option<&'a str>, &'a str, &'a str);

fn place(options: &ServerOptions) -> Place<'_> {
    (
        &options.host,
        options.port,
        &options.user,
        password(options),
        &options.database,
        &options.namespace,
    )
}

#[test]
fn places() {
    for (url, kind, expected) in [
        (
            "postgres://ada@db/tokens",
            &POSTGRES,
            ("db", 5432, "ada", None, "tokens", "tokenkeep"),
        ),
        (
            "postgres://a%3Ad%40a:p%2Fw%3A%40%3F@db.example.org:1/t%20k?namespace=mine",
            &POSTGRES,
            ("db.example.org", 1, "a:d@a", Some("p/w:@?"), "t k", "mine"),
        ),
        (
            "postgres://ada:p/w:p@w@db/tokens",
            &POSTGRES,
            ("db", 5432, "ada", Some("p/w:p@w"), "tokens", "tokenkeep"),
        ),
        (
            "postgres://ada:@[2001:db8::1]:6000/tokens",
            &POSTGRES,
            ("2001:db8::1", 6000, "ada", None, "tokens", "tokenkeep"),
        ),
        (
            "postgres://ada@[::1]/tokens",
            &POSTGRES,
            ("::1", 5432, "ada", None, "tokens", "tokenkeep"),
        ),
        (
            "postgresql://ada@:5433/tokens?host=/run/postgresql",
            &POSTGRES,
            ("/run/postgresql", 5433, "ada", None, "tokens", "tokenkeep"),
        ),
        (
            "postgresql://ada@%2Frun%2Fpostgresql/tokens",
            &POSTGRES,
            ("/run/postgresql", 5432, "ada", None, "tokens", "tokenkeep"),
        ),
        (
            "mysql://ada:pw@127.0.0.1/tokens",
            &MYSQL,
            ("127.0.0.1", 3306, "ada", Some("pw"), "tokens", "tokens"),
        ),
        (
            "mariadb://ada@db/tokens?namespace=mine",
            &MYSQL,
            ("db", 3306, "ada", None, "tokens", "mine"),
        ),
        (
            "mysql://ada@db?namespace=mine",
            &MYSQL,
            ("db", 3306, "ada", None, "mine", "mine"),
        ),
        (
            "mysql://ada@/tokens?socket=/run/mysqld/mysqld.sock",
            &MYSQL,
            (
                "/run/mysqld/mysqld.sock",
                3306,
                "ada",
                None,
                "tokens",
                "tokens",
            ),
        ),
    ] {
        assert_eq!(place(&good(url, kind)), expected, "{url}");
    }
}

#[test]
fn what_is_not_given_has_its_default() {
    let options = good("postgres://ada@db/tokens", &POSTGRES);
    assert_eq!(options.common, SqlOptions::default());
    assert_eq!(
        (options.tls, options.statement_timeout),
        (Tls::default(), None)
    );
}

#[test]
fn every_option() {
    let url = "postgres://ada@db/tokens?namespace=n&durability=relaxed&pool_size=3&timeout=2s\
               &statement_timeout=1s&migrations=check&max_data_len=9&sslmode=disable";
    let options = good(url, &POSTGRES);
    let common = options.common;
    assert_eq!(common.durability, Durability::Relaxed);
    assert_eq!(
        (common.pool_size, common.timeout),
        (3, Duration::from_secs(2))
    );
    assert_eq!(common.migrations, Migrations::Check);
    assert_eq!(common.limits.max_data_len, 9);
    assert_eq!(options.statement_timeout, Some(Duration::from_secs(1)));
    assert_eq!(options.tls.mode, TlsMode::Disable);
}

#[test]
fn bad_urls_and_what_is_wrong_with_them() {
    for (url, says) in [
        ("postgres:", "names no server"),
        ("postgres:ada@db/tokens", "names no server"),
        ("postgres://db/tokens", "names no user"),
        ("postgres://ada@db", "names no database"),
        ("postgres://ada@db/", "names no database"),
        ("postgres://ada@db/a/b", "more than a database"),
        ("postgres://ada/b@db/a", "has an `@` behind its host"),
        (
            "postgres://ada@/tokens",
            "neither a host nor, by the option `host`,",
        ),
        ("postgres://ada@one,two/tokens", "names no host, or several"),
        ("postgres://ada@a%20b/tokens", "names no host, or several"),
        ("postgres://ada@db:/tokens", "has a port"),
        ("postgres://ada@db:0/tokens", "has a port"),
        ("postgres://ada@db:65536/tokens", "has a port"),
        ("postgres://ada@::1/tokens", "an IPv6 address stands in [ ]"),
        ("postgres://ada@[db]/tokens", "no IPv6 address"),
        ("postgres://ada@[::1]5432/tokens", "has a port"),
        (
            "postgres://ada@db/tokens?host=/run",
            "names a host and, by the option `host`",
        ),
        ("postgres://ada@/tokens?host=other", "no absolute path"),
        (
            "postgres://ada@db/tokens?socket=/run",
            "unknown option `socket`",
        ),
        ("postgres://ada@db/tokens?pool_size=0", "pool_size"),
        ("postgres://ada@db/tokens?pool_size=10001", "pool_size"),
        ("postgres://ada@db/tokens?timeout=0s", "timeout of zero"),
        (
            "postgres://ada@db/tokens?statement_timeout=0s",
            "statement_timeout of zero",
        ),
        (
            "postgres://ada@db/tokens?timeout=1s&statement_timeout=1001ms",
            "statement_timeout above the timeout of a call, 1s",
        ),
        (
            "postgres://ada@db/tokens?statement_timeout=11s",
            "above the timeout of a call, 10s",
        ),
        ("postgres://ada:p%09w@db/tokens", "a control character"),
        ("postgres://ada@db/tokens?timeout=5", "not a duration"),
        (
            "postgres://ada@db/tokens?durability=volatile",
            "not one of: sync, relaxed",
        ),
        (
            "postgres://ada@db/tokens?migrations=yes",
            "not one of: auto, check",
        ),
        (
            "postgres://ada@db/tokens?sslmode=prefer",
            "not one of: disable, require, verify-full",
        ),
        (
            "postgres://ada@db/tokens?ssl-ca=/ca&sslmode=verify-ca",
            "use verify-full",
        ),
        ("postgres://ada@db/tokens?ssl-cert=/c", "go together"),
        ("postgres://ada@db/tokens?ssl-key=/c", "go together"),
        (
            "postgres://ada@db/tokens?sslmode=disable&ssl-ca=/c",
            "does not use",
        ),
        (
            "postgres://ada@db/tokens?sslmode=require&ssl-ca=/c",
            "does not look at",
        ),
        (
            "postgres://ada@db/tokens?colour=red",
            "the known ones are: namespace, host, sslmode, ssl-ca, ssl-cert, ssl-key, \
             statement_timeout, durability, migrations, pool_size, timeout, max_data_len, \
             password_file",
        ),
    ] {
        let message = wrong(url, &POSTGRES);
        assert!(message.contains(says), "{url}: {message}");
        assert!(message.contains("`postgres:`"), "{url}: {message}");
    }
    for (url, says) in [
        ("mysql://ada@db", "names no database"),
        ("mysql://ada@/tokens", "by the option `socket`"),
        ("mysql://ada@db/tokens?host=/run", "unknown option `host`"),
    ] {
        let message = wrong(url, &MYSQL);
        assert!(message.contains(says), "{url}: {message}");
    }
}

#[test]
fn there_is_one_password_and_no_message_shows_it() {
    for url in [
        "mysql://ada:s3cret@h/d?password_file=/f",
        "mysql://ada@h/d?password=s3cret",
        "mysql://ada:s3cret@h/d?password=s3cret",
        "mysql://ada:s3cret@h:x/d",
        "mysql://ada:s3cret@h,i/d",
        "mysql://ada:s3cret@h/d/e",
        "mysql://ada:s3cret@h/d?colour=red",
        "mysql://ada:s3cret%7F@h/d",
        "mysql://ada@h/d?bad=s3cret",
    ] {
        let message = wrong(url, &MYSQL);
        assert!(!message.contains("s3cret"), "{url}: {message}");
    }
    let options = good("mysql://ada:s3cret@h/d", &MYSQL);
    assert!(!format!("{options:?}").contains("s3cret"));
}
