use std::time::Duration;

use tokenkeep_redis::{Address, RedisOptions, Servers, TlsMode};

use super::Form::{self, Cluster, Encrypted, Plain, Sentinel, Socket};
use super::options::read_now;
use crate::{Durability, ErrorKind, Result};

fn options(url: &str, form: Form) -> Result<RedisOptions> {
    read_now(&url.parse()?, form)
}

fn good(url: &str, form: Form) -> RedisOptions {
    options(url, form).unwrap_or_else(|error| panic!("{url}: {error}"))
}

fn wrong(url: &str, form: Form) -> String {
    let error = options(url, form).err();
    let error = error.unwrap_or_else(|| panic!("{url} should have been refused"));
    assert_eq!(error.kind(), ErrorKind::Config, "{url}: {error}");
    error.message().to_owned()
}

/// The servers in one text, with the master of sentinels before them.
fn servers(options: &RedisOptions) -> String {
    let (before, hosts) = match &options.servers {
        Servers::Standalone(Address::Unix(path)) => return path.display().to_string(),
        Servers::Standalone(Address::Tcp(host)) => return host.to_string(),
        Servers::Sentinel(set) => (format!("{} by ", set.master), &set.sentinels),
        Servers::Cluster(nodes) => (String::new(), nodes),
    };
    let hosts: Vec<_> = hosts.iter().map(ToString::to_string).collect();
    format!("{before}{}", hosts.join(" "))
}

#[test]
fn places() {
    for (url, form, at, user, password, database) in [
        ("redis://h", Plain, "h:6379", None, None, 0),
        ("redis://h/", Plain, "h:6379", None, None, 0),
        ("redis://ada@h", Plain, "h:6379", Some("ada"), None, 0),
        ("redis://:p%40@h:1/7", Plain, "h:1", None, Some("p@"), 7),
        (
            "valkey://ada:p/w:@h/1",
            Plain,
            "h:6379",
            Some("ada"),
            Some("p/w:"),
            1,
        ),
        (
            "rediss://a%3Ab:p@[2001:db8::1]:1",
            Encrypted,
            "[2001:db8::1]:1",
            Some("a:b"),
            Some("p"),
            0,
        ),
        (
            "redis+unix:///run/a%20b/redis.sock?database=3",
            Socket,
            "/run/a b/redis.sock",
            None,
            None,
            3,
        ),
        (
            "redis+unix://ada:p%2Fw@/run/r.sock",
            Socket,
            "/run/r.sock",
            Some("ada"),
            Some("p/w"),
            0,
        ),
        (
            "redis+sentinel://ada:p@a,b:1,[::1],[::1]:2/my%2Fmaster/4",
            Sentinel,
            "my/master by a:26379 b:1 [::1]:26379 [::1]:2",
            Some("ada"),
            Some("p"),
            4,
        ),
        (
            "redis+sentinel://a/m",
            Sentinel,
            "m by a:26379",
            None,
            None,
            0,
        ),
        (
            "redis+cluster://:p@a,b:1",
            Cluster,
            "a:6379 b:1",
            None,
            Some("p"),
            0,
        ),
        ("redis+cluster://a/0", Cluster, "a:6379", None, None, 0),
    ] {
        let options = good(url, form);
        assert_eq!(servers(&options), at, "{url}");
        assert_eq!(options.user.as_deref(), user, "{url}");
        let found = options.password.as_deref().map(String::as_str);
        assert_eq!((found, options.database), (password, database), "{url}");
    }
}

#[test]
fn what_is_not_given_has_its_default() {
    let options = good("redis+cluster://h", Cluster);
    assert_eq!(options, RedisOptions::new(options.servers.clone()));
}

#[test]
fn every_option() {
    let url = "redis+cluster://h?namespace=n&durability=relaxed&connections=3&timeout=2s&replicas=0\
               &shards=8&create=false&max_data_len=9&sslmode=require";
    let options = good(url, Cluster);
    assert_eq!(options.namespace, "n");
    assert_eq!(options.durability, Durability::Relaxed);
    assert_eq!((options.connections, options.shards), (3, Some(8)));
    assert_eq!(options.timeout, Duration::from_secs(2));
    assert_eq!((options.replicas, options.create), (Some(0), false));
    assert_eq!(options.limits.max_data_len, 9);
    assert_eq!(options.tls.mode, TlsMode::Require);
}

#[test]
fn the_scheme_says_whether_connections_are_encrypted() {
    for (url, form, expected) in [
        ("redis://db", Plain, TlsMode::Disable),
        ("redis://db?sslmode=verify-full", Plain, TlsMode::VerifyFull),
        ("rediss://localhost", Encrypted, TlsMode::VerifyFull),
        ("rediss://db?sslmode=require", Encrypted, TlsMode::Require),
        ("redis+unix:///r", Socket, TlsMode::Default),
        ("redis+sentinel://db/m", Sentinel, TlsMode::Default),
        ("redis+cluster://db", Cluster, TlsMode::Default),
        (
            "redis+cluster://db?sslmode=disable",
            Cluster,
            TlsMode::Disable,
        ),
    ] {
        assert_eq!(good(url, form).tls.mode, expected, "{url}");
    }
}

#[test]
fn bad_urls_and_what_is_wrong_with_them() {
    for (url, form, says) in [
        ("redis:", Plain, "names no server"),
        ("redis:h", Plain, "names no server"),
        ("redis://", Plain, "names no host"),
        ("redis:///1", Plain, "names no host"),
        ("redis://%2Frun%2Fr", Plain, "redis+unix:///path"),
        ("redis://a,b", Plain, "behind `redis+cluster:`"),
        ("redis://h/one", Plain, "a database that is no number"),
        ("redis://h/-1", Plain, "a database that is no number"),
        (
            "redis://h/2147483648",
            Plain,
            "a database that is no number",
        ),
        ("redis://h/1/2", Plain, "more than a database"),
        ("redis://h:0", Plain, "has a port"),
        ("redis://h:65536", Plain, "has a port"),
        ("redis://::1", Plain, "an IPv6 address stands in [ ]"),
        ("redis://[h]", Plain, "no IPv6 address"),
        ("redis://:p%09w@h", Plain, "a control character"),
        ("redis://h?database=1", Plain, "unknown option `database`"),
        ("redis://h?shards=1", Plain, "unknown option `shards`"),
        ("redis://h?replicas=101", Plain, "not between 0 and 100"),
        ("redis://h?connections=0", Plain, "not between 1 and 1000"),
        ("redis://h?connections=many", Plain, "not a whole number"),
        ("redis://h?timeout=0s", Plain, "timeout of zero"),
        ("redis://h?timeout=5", Plain, "not a duration"),
        ("redis://h?create=yes", Plain, "not one of: true, false"),
        (
            "redis://h?durability=volatile",
            Plain,
            "not one of: sync, relaxed",
        ),
        (
            "redis://h?colour=red",
            Plain,
            "the known ones are: namespace, sslmode, ssl-ca, ssl-cert, ssl-key, durability, replicas, \
             connections, create, timeout, max_data_len, password_file",
        ),
        (
            "rediss://h?sslmode=disable",
            Encrypted,
            "asks for TLS, and sslmode=disable for none",
        ),
        ("rediss://h?sslmode=verify-ca", Encrypted, "use verify-full"),
        ("rediss://h?ssl-cert=/c", Encrypted, "go together"),
        ("redis+unix://", Socket, "names no Unix socket"),
        ("redis+unix:///", Socket, "names no Unix socket"),
        ("redis+unix:/run/r", Socket, "names no server"),
        ("redis+unix://h/run/r", Socket, "names a host where"),
        (
            "redis+unix:///r?sslmode=require",
            Socket,
            "unknown option `sslmode`",
        ),
        ("redis+unix:///r?database=x", Socket, "not a whole number"),
        ("redis+sentinel://a,b", Sentinel, "names no master"),
        ("redis+sentinel://a,b/", Sentinel, "names no master"),
        ("redis+sentinel:///m", Sentinel, "names no host"),
        ("redis+sentinel://a/m/x", Sentinel, "no number"),
        ("redis+sentinel://a/m/0/1", Sentinel, "more than a master"),
        ("redis+sentinel://a,u:p@b/m", Sentinel, "one account stands"),
        (
            "redis+sentinel://u:p@a,u:p@b/m",
            Sentinel,
            "one account stands",
        ),
        ("redis+sentinel://a,,b/m", Sentinel, "(host 2 of 3)"),
        ("redis+sentinel://a,b:x/m", Sentinel, "(host 2 of 2)"),
        ("redis+sentinel://a,b,:1/m", Sentinel, "(host 3 of 3)"),
        (
            "redis+sentinel://a/m?sentinel_password_file=/nowhere/pw",
            Sentinel,
            "sentinel_password_file /nowhere/pw: ",
        ),
        ("redis+cluster://", Cluster, "names no host"),
        ("redis+cluster://a,", Cluster, "(host 2 of 2)"),
        ("redis+cluster://a,b c", Cluster, "(host 2 of 2)"),
        (
            "redis+cluster://a/1",
            Cluster,
            "of which a Cluster has none",
        ),
        ("redis+cluster://a?shards=0", Cluster, "between 1 and 64"),
        ("redis+cluster://a?shards=65", Cluster, "between 1 and 64"),
    ] {
        let message = wrong(url, form);
        assert!(message.contains(says), "{url}: {message}");
        let (scheme, _) = url.split_once(':').unwrap();
        assert!(
            message.contains(&format!("`{scheme}:`")),
            "{url}: {message}"
        );
    }
}

#[test]
fn passwords_come_from_files_and_no_message_shows_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "s3cret\n").unwrap();
    let file = file.display();
    let url =
        format!("redis+sentinel://ada@a/m?password_file={file}&sentinel_password_file={file}");
    let options = good(&url, Sentinel);
    assert_eq!(
        options.password.as_deref().map(String::as_str),
        Some("s3cret")
    );
    let Servers::Sentinel(set) = &options.servers else {
        panic!("{options:?}")
    };
    assert_eq!(set.password.as_deref().map(String::as_str), Some("s3cret"));
    assert!(!format!("{options:?}").contains("s3cret"));
    let twice = [
        format!("redis://:s3cret@h?password_file={file}"),
        format!("redis+sentinel://a/m?sentinel_password=s3cret&sentinel_password_file={file}"),
    ];
    for (url, form) in [
        (&*twice[0], Plain),
        (&twice[1], Sentinel),
        ("redis://h?password=s3cret", Plain),
        ("redis://:s3cret@h:x", Plain),
        ("redis://:s3cret@h,i", Plain),
        ("redis://:s3cret@h/x", Plain),
        ("redis://ada:s3cret%7F@h", Plain),
        (
            "redis+sentinel://a/m?sentinel_password=s3cret&x=1",
            Sentinel,
        ),
        ("redis+sentinel://u:s3cret@a,u:s3cret@b/m", Sentinel),
        ("redis+cluster://u:s3cret@a,u:s3cret@b:x", Cluster),
    ] {
        let message = wrong(url, form);
        assert!(!message.contains("s3cret"), "{url}: {message}");
        let shown = url.parse::<crate::StoreUrl>().unwrap().to_string();
        assert!(!shown.contains("s3cret"), "{shown}");
    }
}
