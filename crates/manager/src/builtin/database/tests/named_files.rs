//! Files that a URL names.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::*;

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

/// A folder with a certificate, a key and what is neither.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        files.write("cert", CERTIFICATE);
        files.write("key", &key("PRIVATE KEY"));
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// A URL with these options, in which `@` stands for the folder.
    fn url(&self, options: &str) -> String {
        let folder = self.0.path().display().to_string();
        format!("mysql://a@h/d?{}", options.replace('@', &folder))
    }
}

fn key(label: &str) -> String {
    format!("-----BEGIN {label}-----\r\nAAAA\r\n-----END {label}-----\r\n")
}

/// A pipe that nobody writes to.
#[cfg(unix)]
fn pipe(path: &Path) {
    let made = std::process::Command::new("mkfifo")
        .arg(path)
        .status()
        .unwrap();
    assert!(made.success());
}

#[test]
fn a_password_file_gives_its_first_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    let url = format!("mysql://ada@h/d?password_file={}", file.display());
    for (text, expected) in [
        ("s3cret", "s3cret"),
        ("s3cret\n", "s3cret"),
        ("s3cret\r\n", "s3cret"),
        (" s3 cret \nanother\n", " s3 cret "),
    ] {
        fs::write(&file, text).unwrap();
        assert_eq!(password(&good(&url, &MYSQL)), Some(expected));
    }
}

#[test]
fn a_password_file_that_is_none_is_named_with_the_option() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    let url = format!("mysql://ada@h/d?password_file={}", file.display());
    let says = |text: &[u8], what: &str| {
        fs::write(&file, text).unwrap();
        let message = wrong(&url, &MYSQL);
        let named = format!("password_file {}: ", file.display());
        assert!(
            message.contains(&named) && message.contains(what),
            "{message}"
        );
        assert!(!message.contains("s3cret"), "{message}");
    };
    says(b"", "is empty");
    says(b"\ns3cret", "is empty");
    says(b"s3cret\xff", "UTF-8");
    fs::remove_file(&file).unwrap();
    assert!(wrong(&url, &MYSQL).contains("os error"));
}

#[test]
fn a_password_with_a_control_character_is_a_slip() {
    let files = Files::new();
    files.write("password", "s3cret\tfor ada\n");
    let message = wrong(&files.url("password_file=@/password"), &MYSQL);
    assert!(message.contains("a control character"), "{message}");
    assert!(!message.contains("s3cret"), "{message}");
}

#[cfg(unix)]
#[test]
fn what_is_no_regular_file_is_not_waited_for() {
    let files = Files::new();
    pipe(&files.path("pipe"));
    for name in ["pipe", "."] {
        for option in ["password_file", "ssl-ca"] {
            let message = wrong(&files.url(&format!("{option}=@/{name}")), &MYSQL);
            assert!(message.contains(option), "{message}");
            assert!(message.contains("no regular file"), "{message}");
        }
    }
    std::os::unix::fs::symlink(files.path("cert"), files.path("link")).unwrap();
    good(&files.url("ssl-ca=@/link"), &MYSQL);
}

#[test]
fn whoever_names_a_certificate_means_it() {
    let files = Files::new();
    let mode = |options: &str| good(&files.url(options), &MYSQL).tls.mode;
    assert_eq!(mode(""), TlsMode::Default);
    assert_eq!(mode("ssl-ca=@/cert"), TlsMode::VerifyFull);
    assert_eq!(mode("ssl-cert=@/cert&ssl-key=@/key"), TlsMode::VerifyFull);
    assert_eq!(mode("sslmode=verify-full"), TlsMode::VerifyFull);
    assert_eq!(mode("sslmode=require"), TlsMode::Require);
    assert_eq!(mode("sslmode=disable"), TlsMode::Disable);
    let all = "sslmode=verify-full&ssl-ca=@/cert&ssl-cert=@/cert&ssl-key=@/key";
    let tls = Tls {
        mode: TlsMode::VerifyFull,
        ca: Some(files.path("cert")),
        certificate: Some(files.path("cert")),
        key: Some(files.path("key")),
    };
    assert_eq!(good(&files.url(all), &MYSQL).tls, tls);
}

#[test]
fn a_file_without_what_it_is_for_is_named_with_its_option() {
    let files = Files::new();
    files.write("text", "neither");
    files.write("locked", &key("ENCRYPTED PRIVATE KEY"));
    for (option, others, bad) in [
        ("ssl-ca", "", &["key", "text", "nowhere"][..]),
        ("ssl-cert", "&ssl-key=@/key", &["key", "text", "nowhere"]),
        (
            "ssl-key",
            "&ssl-cert=@/cert",
            &["cert", "text", "locked", "nowhere"],
        ),
    ] {
        for name in bad {
            let message = wrong(&files.url(&format!("{option}=@/{name}{others}")), &MYSQL);
            let named = format!("{option} {}: ", files.path(name).display());
            assert!(message.contains(&named), "{message}");
        }
    }
    for label in ["RSA PRIVATE KEY", "EC PRIVATE KEY"] {
        files.write("key", &key(label));
        good(&files.url("ssl-cert=@/cert&ssl-key=@/key"), &MYSQL);
    }
}

#[test]
fn authorities_of_the_environment_are_looked_at() {
    let files = Files::new();
    let check = tls::check_authorities;
    check(None).unwrap();
    check(Some(&files.path("cert"))).unwrap();
    for name in ["key", "nowhere"] {
        let error = check(Some(&files.path(name))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.message().contains("SSL_CERT_FILE"), "{error}");
    }
}
