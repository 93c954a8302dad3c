use std::path::Path;
use std::time::Duration;

use tokenkeep::{ErrorKind, StoreUrl};

use crate::support::failure;

fn url(text: &str) -> StoreUrl {
    text.parse().unwrap()
}

#[test]
fn good_urls_and_how_they_are_shown() {
    let table = [
        // URL, scheme, rest, shown
        ("memory:", "memory", "", "memory:"),
        ("MEMORY:", "memory", "", "memory:"),
        ("memory:?", "memory", "", "memory:"),
        ("sled:./data", "sled", "./data", "sled:./data"),
        ("sled:a b", "sled", "a b", "sled:a b"),
        (
            "sled:x?timeout=5s&namespace=a%26b",
            "sled",
            "x",
            "sled:x?timeout=5s&namespace=a%26b",
        ),
        (
            "redis+cluster://h:1,h:2/0",
            "redis+cluster",
            "//h:1,h:2/0",
            "redis+cluster://h:1,h:2/0",
        ),
        ("mysql://ada@h/d", "mysql", "//ada@h/d", "mysql://ada@h/d"),
        (
            "mysql://ada:@h/d",
            "mysql",
            "//ada:@h/d",
            "mysql://ada:@h/d",
        ),
        (
            "mysql://ada:pw@h/d",
            "mysql",
            "//ada:pw@h/d",
            "mysql://ada:***@h/d",
        ),
        ("redis://:pw@h", "redis", "//:pw@h", "redis://:***@h"),
        (
            "redis+cluster://h:1,u:pw@i,u:pw@j",
            "redis+cluster",
            "//h:1,u:pw@i,u:pw@j",
            "redis+cluster://h:***@j",
        ),
        (
            "mysql://ada:p/w:p@w@h:3306/d",
            "mysql",
            "//ada:p/w:p@w@h:3306/d",
            "mysql://ada:***@h:3306/d",
        ),
        (
            "redis://h?password=pw&sentinel_password=pw&x=pw",
            "redis",
            "//h",
            "redis://h?password=***&sentinel_password=***&x=***",
        ),
        ("mysql:ada:pw@h/d", "mysql", "ada:pw@h/d", "mysql:***@h/d"),
        ("redis::pw@h", "redis", ":pw@h", "redis:***@h"),
        (
            "tokens:pw@localhost:55432/tokens",
            "tokens",
            "pw@localhost:55432/tokens",
            "tokens:***@localhost:55432/tokens",
        ),
        ("sled:a@b/c", "sled", "a@b/c", "sled:a@b/c"),
        ("sqlite:ada:pw@h", "sqlite", "ada:pw@h", "sqlite:ada:***@h"),
        ("sled:a:b/c", "sled", "a:b/c", "sled:a:b/c"),
    ];
    for (text, scheme, rest, shown) in table {
        let url = url(text);
        assert_eq!((url.scheme(), url.rest()), (scheme, rest), "{text}");
        assert_eq!(url.to_string(), shown);
        assert_eq!(format!("{url:?}"), format!("StoreUrl({shown})"));
        assert_eq!(url.has_password(), shown.contains("***"), "{text}");
    }
}

#[test]
fn options_with_a_secret_by_their_name() {
    for name in [
        "password",
        "passwd",
        "passphrase",
        "sslpassword",
        "pass",
        "pwd",
        "db-pwd",
        "pw",
        "key",
        "keys",
        "access_key",
        "api-key",
        "apikey",
        "sslkey",
        "key_id",
        "credential",
        "credentials",
        "cred",
        "auth",
        "auth_token",
        "client_secret",
        "sas-signature",
        "sig",
        "private",
        "jwt",
        "bearer",
    ] {
        let url = url(&format!("x:h?{name}=s3cret"));
        assert_eq!(url.to_string(), format!("x:h?{name}=***"));
        assert!(url.has_password(), "{name}");
        let (_, message) = failure(url.options().integer(name));
        assert!(!message.contains("s3cret"), "{message}");
    }
    for name in ["timeout", "namespace", "cache_capacity", "sslmode"] {
        let url = url(&format!("x:h?{name}=plain"));
        assert_eq!(url.to_string(), format!("x:h?{name}=plain"));
        assert!(!url.has_password(), "{name}");
    }
    for name in ["keyspace", "keepalive", "author", "bad"] {
        let url = url(&format!("x:h?{name}=s3cret"));
        assert_eq!(url.to_string(), format!("x:h?{name}=***"), "rather hidden");
        assert!(!format!("{url:?}").contains("s3cret"));
        assert!(!url.has_password(), "{name} may stand in a file");
    }
}

#[test]
fn bad_urls_and_what_is_wrong_with_them() {
    let table = [
        ("", "has no scheme"),
        ("./tokenkeep-data", "has no scheme"),
        (":x", "has a scheme that is not"),
        ("1x:y", "has a scheme that is not"),
        ("s_l:y", "has a scheme that is not"),
        ("sled:x\n", "control character"),
        ("sled:x#y", "`#`"),
        ("sled:%zz", "`%`"),
        ("sled:x%4", "`%`"),
        ("sled:%ff", "not UTF-8"),
        ("mysql://ada:s3c%ff@h/d", "not UTF-8"),
        ("sled:a%00b", "NUL"),
        ("sled:x?namespace=%", "`%`"),
        ("sled:x?namespace", "name=value"),
        ("sled:x?=a", "name=value"),
        ("sled:x?a=1&&b=2", "name=value"),
        ("sled:x?Name=1", "of an unknown name"),
        ("sled:x?S3cret=1", "of an unknown name"),
        ("sled:x?Namespace=1", "in lower case, `namespace`"),
        ("sled:x?namespace=", "option `namespace` has no value"),
        ("sled:x?a=1&b=2&a=1", "option `a` stands twice"),
        ("mysql://ada:s3c?r=et@h", "`@`"),
        ("mysql://ada:s3c?ret", "name=value"),
    ];
    for (text, wrong) in table {
        let (kind, message) = failure(text.parse::<StoreUrl>());
        assert_eq!(kind, ErrorKind::Config, "{text}");
        assert!(message.contains(wrong), "{text}: {message}");
        assert!(
            !message.to_lowercase().contains("s3c") && !message.contains("ret"),
            "{message}"
        );
    }
}

#[test]
fn paths() {
    for (text, path) in [
        ("sled:a/b", "a/b"),
        ("sled:./a%20b%25", "./a b%"),
        ("sled:/a", "/a"),
        ("sled:///a", "/a"),
        ("sled:a+b", "a+b"),
    ] {
        assert_eq!(url(text).path().unwrap(), Path::new(path), "{text}");
    }
    for (text, wrong) in [
        ("sled:", "names no path"),
        ("sled:?a=b", "names no path"),
        ("sled://a/b", "names a host"),
    ] {
        let (kind, message) = failure(url(text).path());
        assert_eq!(kind, ErrorKind::Config);
        assert!(
            message.contains(wrong) && message.contains("sled"),
            "{message}"
        );
    }
}

#[test]
fn servers() {
    for (text, host, port, user, database) in [
        ("x://h", Some("h"), None, None, None),
        ("x://ada@h:1/d", Some("h"), Some(1), Some("ada"), Some("d")),
        ("x://ada:p@w:@h/d", Some("h"), None, Some("ada"), Some("d")),
        ("x://:pw@[::1]:2/", Some("::1"), Some(2), None, None),
        ("x:///d", None, None, None, Some("d")),
        ("x://%2Frun%2Fx:3", Some("/run/x"), Some(3), None, None),
    ] {
        let server = url(text).server().unwrap();
        let found = (server.host.as_deref(), server.port);
        assert_eq!(found, (host, port), "{text}");
        let found = (server.user.as_deref(), server.database.as_deref());
        assert_eq!(found, (user, database), "{text}");
        assert!(!format!("{server:?}").contains("pw"), "{server:?}");
    }
    for (text, wrong) in [
        ("x:", "names no server"),
        ("x:h", "names no server"),
        ("x://h,i", "or several"),
        ("x://h:x", "has a port"),
        ("x://h/a/b", "more than a database"),
        ("x://[h]", "no IPv6 address"),
    ] {
        let (kind, message) = failure(url(text).server());
        assert_eq!(kind, ErrorKind::Config);
        assert!(message.contains(wrong), "{text}: {message}");
    }
}

#[test]
fn several_servers() {
    let servers = url("x://ada:p%2Cw@h:1,[::1],i/a%2Fb/").servers().unwrap();
    let host = |name: &str, port| (name.to_owned(), port);
    let hosts = [host("h", Some(1)), host("::1", None), host("i", None)];
    assert_eq!(servers.hosts, hosts);
    assert_eq!(servers.user.as_deref(), Some("ada"));
    assert_eq!(servers.password.as_deref().map(String::as_str), Some("p,w"));
    assert_eq!(servers.path, ["a/b", ""]);
    assert!(!format!("{servers:?}").contains("p,w"), "{servers:?}");
    let nobody = url("x:///a").servers().unwrap();
    assert!(nobody.hosts.is_empty() && nobody.path == ["a"]);
    for (text, wrong) in [
        ("x:h,i", "names no server"),
        ("x://h:x", "has a port"),
        (
            "x://h,:1",
            "names no host where one has to be (host 2 of 2)",
        ),
        (
            "x://h,i:0,j",
            "up to 65535; an IPv6 address stands in [ ] (host 2 of 3)",
        ),
        ("x://h,[i]", "no IPv6 address (host 2 of 2)"),
        ("x://h,u:s3cret@i", "one account stands before all hosts"),
    ] {
        let (kind, message) = failure(url(text).servers());
        assert_eq!(kind, ErrorKind::Config);
        assert!(message.contains(wrong), "{text}: {message}");
        assert!(!message.contains("s3cret"), "{text}: {message}");
    }
}

#[test]
fn another_server_for_the_same_account() {
    for (text, host, expected) in [
        (
            "x://a:s3cret@h:1/d?create=1",
            "i",
            "x://a:***@i:2/d?create=1",
        ),
        ("x://h", "::1", "x://[::1]:2"),
        ("x:///d", "i", "x://i:2/d"),
    ] {
        let other = url(text).with_server(host, 2).unwrap();
        assert_eq!(other.to_string(), expected);
        let (before, after) = (url(text).server().unwrap(), other.server().unwrap());
        assert_eq!(after.password, before.password);
        assert_eq!((after.host.as_deref(), after.port), (Some(host), Some(2)));
    }
    let (kind, _) = failure(url("x://h").with_server("a b", 1));
    assert_eq!(kind, ErrorKind::Config);
}

#[test]
fn the_path_of_a_secret_is_none() {
    for name in ["password_file", "ssl-key", "ssl-cert", "ssl-ca"] {
        let url = url(&format!("x://h?{name}=/path"));
        assert_eq!(url.to_string(), format!("x://h?{name}=/path"));
        assert!(!url.has_password(), "{name}");
    }
}

#[test]
fn options_are_taken_by_type() {
    let url = url("x:?a=1h%2030m&b=18446744073709551615&c=relaxed&d=a+b%20c");
    let mut options = url.options();
    assert_eq!(
        options.duration("a").unwrap(),
        Some(Duration::from_secs(5_400))
    );
    assert_eq!(options.integer("b").unwrap(), Some(u64::MAX));
    let choices = [("sync", 1), ("relaxed", 2)];
    assert_eq!(options.choice("c", &choices).unwrap(), Some(2));
    assert_eq!(options.text("d").unwrap().as_str(), "a+b c");
    assert_eq!(options.integer("e").unwrap(), None);
    options.finish().unwrap();
}

#[test]
fn bad_values_name_option_value_and_what_is_expected() {
    let url = url("x:?a=5&b=-1&c=fast&password_age=s3cret");
    let mut options = url.options();
    let messages = [
        failure(options.duration("a")),
        failure(options.integer("b")),
        failure(options.choice("c", &[("sync", 1), ("relaxed", 2)])),
        failure(options.integer("password_age")),
    ];
    let expected = [
        "store URL `x:` has an option `a` of `5`, which is not a duration such as 5s or 500ms",
        "store URL `x:` has an option `b` of `-1`, which is not a whole number",
        "store URL `x:` has an option `c` of `fast`, which is not one of: sync, relaxed",
        "store URL `x:` has an option `password_age` of `***`, which is not a whole number",
    ];
    for ((kind, message), expected) in messages.into_iter().zip(expected) {
        assert_eq!((kind, message.as_str()), (ErrorKind::Config, expected));
    }
}

#[test]
fn an_unknown_option_is_named_with_the_known_ones() {
    let url = url("x:?colour=red&timeout=1s");
    let mut options = url.options();
    assert!(options.text("namespace").is_none());
    options.duration("timeout").unwrap();
    assert_eq!(
        failure(options.finish()).1,
        "store URL `x:` has an unknown option `colour`; the known ones are: namespace, timeout"
    );
    assert!(failure(url.options().finish()).1.contains("there are none"));
}
