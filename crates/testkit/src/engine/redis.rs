//! Redis.

use std::ffi::OsString;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::{ADMIN, ADMIN_PASSWORD, Engine, Layout, PASSWORD, USER, merged};
use crate::account::Account;
use crate::error::{Error, Result};
use crate::programs;
use crate::settings::Settings;

#[derive(Debug)]
pub(crate) struct Redis;

impl Engine for Redis {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn scheme(&self) -> &'static str {
        "redis"
    }

    fn program(&self) -> &'static str {
        "redis-server"
    }

    fn accounts(&self) -> &'static [&'static str] {
        &["redis", "nobody"]
    }

    fn setup(&self) -> &'static str {
        ""
    }

    fn initialise(&self, data: &Path, account: Account) -> Result<()> {
        let data = data.join("data");
        fs::create_dir(&data).map_err(Error::while_doing(data.display()))?;
        account.own(&data)
    }

    /// The settings stand in a file: an account is no argument.
    fn command(&self, layout: &Layout, settings: &Settings) -> Result<Vec<OsString>> {
        let flush = if settings.relaxed {
            "everysec"
        } else {
            "always"
        };
        let data = layout.data().display().to_string();
        let mut ours = vec![
            ("dir", data),
            ("bind", "127.0.0.1".to_owned()),
            ("unixsocket", self.socket(layout).display().to_string()),
            ("maxclients", "400".to_owned()),
            ("appendonly", "yes".to_owned()),
            ("appendfsync", flush.to_owned()),
            ("save", "\"\"".to_owned()),
        ];
        if let Some(tls) = &layout.tls {
            ours.push(("port", "0".to_owned()));
            ours.push(("tls-port", layout.port.to_string()));
            ours.push(("tls-ca-cert-file", tls.ca.display().to_string()));
            ours.push(("tls-cert-file", tls.certificate.display().to_string()));
            ours.push(("tls-key-file", tls.key.display().to_string()));
            ours.push(("tls-auth-clients", "no".to_owned()));
        } else {
            ours.push(("port", layout.port.to_string()));
        }
        let mut text = format!(
            "user default off\nuser {USER} on >{PASSWORD} ~* &* +@all -@admin\n\
             user {ADMIN} on >{ADMIN_PASSWORD} ~* &* +@all\n"
        );
        for (name, value) in merged(&ours, settings) {
            text.push_str(&format!("{name} {value}\n"));
        }
        let file = layout.folder.join("redis.conf");
        fs::write(&file, text).map_err(Error::while_doing(file.display()))?;
        let program = programs::find(self.program())?;
        Ok(vec![program.into_os_string(), file.into_os_string()])
    }

    fn socket(&self, layout: &Layout) -> PathBuf {
        layout.folder.join("redis.sock")
    }

    /// It answers `LOADING` while it reads its files.
    fn is_ready(&self, layout: &Layout, _: i32) -> bool {
        let Ok(mut stream) = UnixStream::connect(self.socket(layout)) else {
            return false;
        };
        let mut answer = [0; 12];
        let hello = format!("AUTH {ADMIN} {ADMIN_PASSWORD}\r\nPING\r\n");
        stream
            .set_read_timeout(Some(Duration::from_secs(1)))
            .and_then(|()| stream.write_all(hello.as_bytes()))
            .and_then(|()| stream.read_exact(&mut answer))
            .is_ok_and(|()| answer == *b"+OK\r\n+PONG\r\n")
    }

    fn stop_signal(&self) -> Signal {
        Signal::SIGTERM
    }

    fn end_signal(&self) -> &'static str {
        "KILL"
    }

    fn client(&self, layout: &Layout, text: &str) -> Result<Command> {
        let mut command = Command::new(programs::find("redis-cli")?);
        command
            .arg("-s")
            .arg(self.socket(layout))
            .args(["--user", ADMIN, "--no-auth-warning", "-e"])
            .args(text.split_whitespace())
            .env("REDISCLI_AUTH", ADMIN_PASSWORD);
        Ok(command)
    }
}
