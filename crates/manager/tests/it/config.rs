use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;
use tokenkeep::{Config, ErrorKind, Registry, Result, StoreUrl, TokenManager};

use crate::support::failure;

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    fn load(&self, toml: &str, environment: &[(&str, &str)]) -> Result<Config> {
        load(Some(self.file("tokenkeep.toml", toml)), environment)
    }
}

fn load(path: Option<PathBuf>, environment: &[(&str, &str)]) -> Result<Config> {
    let environment = environment.iter();
    Config::load_with(
        path.as_deref(),
        environment.map(|(name, value)| (name.into(), value.into())),
    )
}

#[test]
fn the_sample_of_the_readme_is_read() {
    let readme = include_str!("../../README.md");
    let (_, sample) = readme.split_once("```toml\n").unwrap();
    let (sample, _) = sample.split_once("```").unwrap();
    let config = Folder::new().load(sample, &[]).unwrap();
    assert_eq!(config.store.url.scheme(), "postgres");
    assert_eq!(config.flush.interval, Duration::from_secs(60));
}

#[test]
fn nothing_given_is_the_defaults() {
    assert_eq!(load(None, &[]).unwrap(), Config::default());
    assert_eq!(Folder::new().load("", &[]).unwrap(), Config::default());
}

/// Each default as its docs have it.
#[test]
fn the_effective_configuration_as_toml() {
    let expected = "\
[store]
url = \"sled:./tokenkeep-data\"

[token]
default_lifetime = \"1h\"
max_secret_len = 8192
prefix = \"tkp_\"

[digest]

[revocation_list]
time_to_live = \"1m\"

[flush]
interval = \"1m\"
batch = 1000
pause = \"10ms\"
retry_min = \"1s\"
retry_max = \"1m\"
";
    assert_eq!(Config::default().to_string(), expected);
    assert_eq!(
        Folder::new().load(expected, &[]).unwrap(),
        Config::default(),
        "and it can be read again"
    );
}

#[test]
fn the_environment_overrides_the_file() {
    let toml = "[token]\nprefix = 'a_'\nmax_lifetime = '2h'\n[flush]\nbatch = 5\n";
    let environment = [
        ("TOKENKEEP_TOKEN__PREFIX", "b_"),
        ("TOKENKEEP_FLUSH__BATCH", "7"),
        ("TOKENKEEP_REVOCATION_LIST__TIME_TO_LIVE", "5s"),
    ];
    let config = Folder::new().load(toml, &environment).unwrap();
    assert_eq!(config.token.prefix, "b_");
    assert_eq!(config.token.max_lifetime, Some(Duration::from_secs(7_200)));
    assert_eq!(config.flush.batch.get(), 7);
    assert_eq!(config.revocation_list.time_to_live, Duration::from_secs(5));
}

#[test]
fn other_variables_are_none_of_the_configuration() {
    let environment = [
        ("TOKENKEEP_LOG", "debug"),
        ("TOKENKEEP_REQUIRE_SERVERS", "1"),
        ("TOKENKEEP_CONFORMANCE_REPORT", "x"),
        ("OTHER_STORE__URL", "memory:"),
        ("tokenkeep_store__url", "memory:"),
    ];
    assert_eq!(load(None, &environment).unwrap(), Config::default());
}

#[test]
fn what_is_wrong_and_where() {
    let folder = Folder::new();
    let table = [
        ("[store]\nurl = 'memory:", "tokenkeep.toml, line 2:"),
        ("[store\n", "tokenkeep.toml, line 1:"),
        ("[token]\nprefix = 'a'\nprefix = 'b'", "line 3:"),
        ("[stor]\n", "unknown field `stor`"),
        (
            "[store]\nuri = 'x'",
            "store: unknown field `uri`, expected `url` or `url_file`",
        ),
        ("store = 'memory:'", "store is not a section"),
        ("prefix = 'x'", "prefix is not a section"),
        (
            "[store]\nurl = 'memory'",
            "store.url: store URL has no scheme",
        ),
        ("[flush]\nbatch = 'x'", "flush.batch: expected"),
        ("[flush]\nbatch = 0", "flush.batch: "),
        ("[flush]\nbatch = -1", "flush.batch: "),
        (
            "[flush]\ninterval = 5",
            "flush.interval: `5` is not a duration",
        ),
        ("[flush]\ninterval = '0s'", "flush.interval is zero"),
        ("[flush]\nretry_min = '0s'", "flush.retry_min is zero"),
        ("[flush]\nretry_max = '1ms'", "flush.retry_max is shorter"),
        ("[token]\nprefix = ''", "token.prefix is not"),
        ("[token]\nprefix = 'a b'", "token.prefix is not"),
        ("[token]\nprefix = [1]", "token.prefix: expected"),
        (
            "[token]\ndefault_lifetime = '0s'",
            "token.default_lifetime is zero",
        ),
        (
            "[token]\nmax_lifetime = '5m'",
            "token.max_lifetime is shorter",
        ),
        (
            "[token]\nmax_secret_len = 10",
            "token.max_secret_len is below 59",
        ),
        (
            "[store]\nurl = 'memory:'\nurl_file = 'x'",
            "store.url and store.url_file are both given",
        ),
        (
            "[store]\nurl_file = '/nowhere/x'",
            "store.url_file /nowhere/x: ",
        ),
    ];
    for (toml, wrong) in table {
        let (kind, message) = failure(folder.load(toml, &[]));
        assert_eq!(kind, ErrorKind::Config, "{toml}");
        assert!(message.contains(wrong), "{toml}: {message}");
    }
}

#[test]
fn the_variable_that_is_wrong_is_named() {
    let folder = Folder::new();
    for (name, value, wrong) in [
        ("TOKENKEEP_STORE__URI", "x", "store: unknown field `uri`"),
        ("TOKENKEEP_STOR__URL", "x", "unknown field `stor`"),
        (
            "TOKENKEEP_STORE__URL",
            "x",
            "store.url: store URL has no scheme",
        ),
        ("TOKENKEEP_STORE__URL__X", "x", "store.url: "),
        ("TOKENKEEP_FLUSH__BATCH", "x", "flush.batch: expected"),
        (
            "TOKENKEEP_FLUSH__PAUSE",
            "5",
            "flush.pause: `5` is not a duration",
        ),
        ("TOKENKEEP___", "x", "names no field"),
        ("TOKENKEEP_A B__C", "x", ""),
    ] {
        let good = ("TOKENKEEP_TOKEN__PREFIX", "a_");
        let (kind, message) = failure(folder.load("[store]\n", &[good, (name, value)]));
        assert_eq!(kind, ErrorKind::Config);
        let start = format!("environment variable {name}: ");
        assert!(message.starts_with(&start), "{message}");
        assert!(message.contains(wrong), "{name}: {message}");
    }
}

#[cfg(unix)]
#[test]
fn a_value_that_is_no_text_is_refused() {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;

    let value = OsString::from_vec(vec![0xff]);
    let result = Config::load_with(None, [("TOKENKEEP_STORE__URL".into(), value.clone())]);
    assert!(
        failure(result)
            .1
            .contains("TOKENKEEP_STORE__URL is not UTF-8")
    );
    assert!(Config::load_with(None, [(value.clone(), value)]).is_ok());
}

#[test]
fn an_unreadable_file_is_named_with_the_cause() {
    let folder = Folder::new();
    let missing = folder.0.path().join("missing.toml");
    for path in [missing, folder.0.path().to_owned()] {
        let (kind, message) = failure(load(Some(path.clone()), &[]));
        assert_eq!(kind, ErrorKind::Config);
        assert!(message.contains(&path.display().to_string()), "{message}");
        assert!(message.contains("os error"), "{message}");
    }
}

#[test]
fn a_password_comes_by_a_file_of_its_own_or_the_environment() {
    let folder = Folder::new();
    let secret = "mysql://ada:s3cret@h/d";
    let (_, message) = failure(folder.load(&format!("[store]\nurl = '{secret}'"), &[]));
    assert!(message.contains("store.url holds a password"), "{message}");

    let by_environment = folder.load(
        "[store]\nurl = 'memory:'",
        &[("TOKENKEEP_STORE__URL", secret)],
    );
    let url_file = folder.file("url", &format!("{secret}\n"));
    let by_file = folder.load(
        &format!("[store]\nurl_file = '{}'", url_file.display()),
        &[],
    );
    for config in [by_environment.unwrap(), by_file.unwrap()] {
        assert_eq!(config.store.url, secret.parse().unwrap());
        let shown = format!("{config} {config:?}");
        assert!(!shown.contains("s3cret"), "{shown}");
        assert!(shown.contains("mysql://ada:***@h/d"), "{shown}");
    }
}

#[test]
fn no_fault_shows_a_password() {
    let folder = Folder::new();
    let url_file = folder.file("url", "mysql//ada:s3cret@h");
    for toml in [
        "store = 'mysql://ada:s3cret@h'",
        "[store]\nurl = 'mysql://ada:s3cret@h",
        "[store]\nurl = mysql://ada:s3cret@h",
        "[store]\nurl = 'mysql//ada:s3cret@h'",
        "[store]\nurl = ['mysql://ada:s3cret@h']",
        "[store]\nurl.x = 'mysql://ada:s3cret@h'",
        "[flush]\nbatch = 'mysql://ada:s3cret@h'",
        "[flush]\nbatch = ['mysql://ada:s3cret@h']",
        &format!("[store]\nurl_file = '{}'", url_file.display()),
    ] {
        let (_, message) = failure(folder.load(toml, &[]));
        assert!(!message.contains("s3cret"), "{toml}: {message}");
    }
    for name in [
        "TOKENKEEP_STORE__URL__X",
        "TOKENKEEP_STORE__X",
        "TOKENKEEP_FLUSH__BATCH",
    ] {
        let (_, message) = failure(load(None, &[(name, "mysql://ada:s3cret@h")]));
        assert!(!message.contains("s3cret"), "{name}: {message}");
    }
}

#[test]
fn the_url_and_its_file_override_each_other_from_the_environment() {
    let folder = Folder::new();
    let one = folder
        .file("one", "memory:?max_data_len=1")
        .display()
        .to_string();
    let two = folder
        .file("two", "memory:?max_data_len=2")
        .display()
        .to_string();
    let url = "TOKENKEEP_STORE__URL";
    let url_file = "TOKENKEEP_STORE__URL_FILE";
    let in_file = format!("[store]\nurl_file = '{one}'");
    for (toml, environment, expected) in [
        (in_file.as_str(), (url, "memory:"), "memory:"),
        (&in_file, (url_file, &two), "memory:?max_data_len=2"),
        (
            "[store]\nurl = 'memory:'",
            (url_file, &two),
            "memory:?max_data_len=2",
        ),
    ] {
        let config = folder.load(toml, &[environment]).unwrap();
        assert_eq!(config.store.url.to_string(), expected);
    }
    let both = failure(load(None, &[(url, "memory:"), (url_file, &two)])).1;
    assert!(both.contains("are both set"), "{both}");
}

#[tokio::test]
async fn a_manager_opens_from_a_configuration() {
    let folder = Folder::new();
    let key = folder.file("key", &"k".repeat(32));
    let toml = format!(
        "[store]\nurl = 'memory:'\n[token]\nprefix = 'abc-'\n[digest]\nkey_file = '{}'",
        key.display()
    );
    let config = folder.load(&toml, &[]).unwrap();
    let manager = TokenManager::open(&config, &Registry::builtin())
        .await
        .unwrap();
    let issued = manager
        .issue(tokenkeep::IssueRequest::new("ada"))
        .await
        .unwrap();
    assert!(issued.secret.expose().starts_with("abc-"));
    let digest = tokenkeep::TokenDigest::with_key(&[b'k'; 32]).unwrap();
    assert_eq!(issued.record.id, digest.id(&issued.secret));

    fs::remove_file(key).unwrap();
    let (kind, message) = failure(TokenManager::open(&config, &Registry::builtin()).await);
    assert_eq!(kind, ErrorKind::Config);
    assert!(message.contains("digest key file"), "{message}");
}

/// Each of these sums to just the second that no duration holds.
#[test]
fn spans_beyond_reason_are_refused_and_no_panic() {
    for span in [
        "18446744073709551615s 1000000000ns",
        "18446744073709551615s 1000ms",
        "584542046090y 19089015s 1000000000ns",
        "18446744073709551616s",
    ] {
        for (section, field) in [
            ("flush", "interval"),
            ("flush", "retry_max"),
            ("token", "default_lifetime"),
            ("token", "max_lifetime"),
            ("revocation_list", "time_to_live"),
        ] {
            let toml = format!("[{section}]\n{field} = \"{span}\"");
            let (kind, message) = failure(Folder::new().load(&toml, &[]));
            assert_eq!(kind, ErrorKind::Config);
            assert!(message.contains("is not a duration"), "{message}");
            assert!(message.contains(field), "{message}");
        }
        let url: StoreUrl = format!("x:?timeout={span}").parse().unwrap();
        let (kind, message) = failure(url.options().duration("timeout"));
        assert_eq!(kind, ErrorKind::Config);
        assert!(message.contains("`timeout`"), "{message}");
    }
    let long = "[flush]\ninterval = \"9999999999y\"";
    assert!(Folder::new().load(long, &[]).is_ok());
}
