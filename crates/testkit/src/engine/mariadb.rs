//! MariaDB.

use std::ffi::OsString;
use std::fs;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::{ADMIN, ADMIN_PASSWORD, Engine, Layout, has_no_commands, merged};
use crate::account::Account;
use crate::error::{Error, Result};
use crate::programs;
use crate::resp::Connection;
use crate::settings::Settings;

/// Executed once. The application's account has what an application is given: no privilege that
/// reaches beyond a server's read-only switch.
const SETUP: &str = "\
FLUSH PRIVILEGES;
DELETE FROM mysql.global_priv WHERE User = '';
FLUSH PRIVILEGES;
CREATE USER 'tokenkeep'@'%' IDENTIFIED BY 'k33p/it@home:100%';
GRANT CREATE, DROP, ALTER, INDEX, SELECT, INSERT, UPDATE, DELETE, LOCK TABLES
    ON *.* TO 'tokenkeep'@'%';
CREATE USER 'admin'@'%' IDENTIFIED BY 'the-keeper';
GRANT ALL PRIVILEGES ON *.* TO 'admin'@'%' WITH GRANT OPTION;
CREATE DATABASE tokenkeep;
";

#[derive(Debug)]
pub(crate) struct MariaDb;

impl Engine for MariaDb {
    fn name(&self) -> &'static str {
        "mariadb"
    }

    fn scheme(&self) -> &'static str {
        "mysql"
    }

    fn program(&self) -> &'static str {
        "mariadbd"
    }

    fn accounts(&self) -> &'static [&'static str] {
        &["mysql", "nobody"]
    }

    fn setup(&self) -> &'static str {
        SETUP
    }

    fn initialise(&self, data: &Path, account: Account) -> Result<()> {
        account.is_not_root("MariaDB")?;
        let program = programs::find(self.program())?;
        let mut command = Command::new(programs::find("mariadb-install-db")?);
        command
            .arg("--no-defaults")
            .arg(format!("--datadir={}", data.join("data").display()))
            .args(["--auth-root-authentication-method=normal", "--skip-test-db"])
            .arg("--innodb-log-file-size=32M")
            .current_dir(data);
        programs::run(account.of(&mut command), Path::new("/dev/null"))?;
        let setup = data.join("setup.sql");
        fs::write(&setup, SETUP).map_err(Error::while_doing("the setup of MariaDB"))?;
        let mut command = Command::new(program);
        command
            .arg("--no-defaults")
            .arg(format!("--datadir={}", data.join("data").display()))
            .args(["--bootstrap", "--innodb-log-file-size=32M"])
            .current_dir(data);
        programs::run(account.of(&mut command), &setup).map(drop)
    }

    fn command(&self, layout: &Layout, settings: &Settings) -> Result<Vec<OsString>> {
        let path = |name: &str| layout.folder.join(name).display().to_string();
        let flush = if settings.relaxed { "0" } else { "1" };
        let mut ours = vec![
            ("datadir", layout.data().display().to_string()),
            ("tmpdir", layout.folder.display().to_string()),
            ("port", layout.port.to_string()),
            ("socket", path("mariadb.sock")),
            ("pid-file", path("mariadb.pid")),
            ("bind-address", "127.0.0.1".to_owned()),
            ("skip-name-resolve", "ON".to_owned()),
            // Of no country that the tests or their machines are likely to be in.
            ("default-time-zone", "+05:45".to_owned()),
            // What servers are often left with, and what nothing of ours may depend on.
            ("character-set-server", "utf8mb4".to_owned()),
            ("collation-server", "utf8mb4_unicode_ci".to_owned()),
            ("max-connections", "400".to_owned()),
            ("max-connect-errors", "1000000".to_owned()),
            ("innodb-buffer-pool-size", "64M".to_owned()),
            ("innodb-log-file-size", "32M".to_owned()),
            ("innodb-flush-log-at-trx-commit", flush.to_owned()),
        ];
        if !settings.relaxed {
            ours.push(("log-bin", path("binlog")));
            ours.push(("server-id", "1".to_owned()));
            ours.push(("sync-binlog", "1".to_owned()));
        }
        if let Some(tls) = &layout.tls {
            ours.push(("ssl-ca", tls.ca.display().to_string()));
            ours.push(("ssl-cert", tls.certificate.display().to_string()));
            ours.push(("ssl-key", tls.key.display().to_string()));
        }
        let program = programs::find(self.program())?.into_os_string();
        let options = merged(&ours, settings);
        let options = options
            .into_iter()
            .map(|(name, value)| format!("--{name}={value}").into());
        Ok([program, "--no-defaults".into()]
            .into_iter()
            .chain(options)
            .collect())
    }

    fn socket(&self, layout: &Layout) -> PathBuf {
        layout.folder.join("mariadb.sock")
    }

    /// The server speaks first, once it is ready to.
    fn is_ready(&self, layout: &Layout, _: i32) -> bool {
        let Ok(mut stream) = UnixStream::connect(self.socket(layout)) else {
            return false;
        };
        let bound = stream.set_read_timeout(Some(Duration::from_secs(1)));
        bound.is_ok() && stream.read_exact(&mut [0; 5]).is_ok()
    }

    fn stop_signal(&self) -> Signal {
        Signal::SIGTERM
    }

    fn end_signal(&self) -> &'static str {
        "KILL"
    }

    fn execute(&self, layout: &Layout, text: &str) -> Result<String> {
        let mut command = Command::new(programs::find("mariadb")?);
        command
            .arg("--no-defaults")
            .arg(format!("--socket={}", self.socket(layout).display()))
            .arg(format!("--user={ADMIN}"))
            .args(["--batch", "--skip-column-names", "--connect-timeout=30"])
            .arg("--default-character-set=utf8mb4")
            .arg(format!("--execute={text}"))
            .env("MYSQL_PWD", ADMIN_PASSWORD);
        programs::run(&mut command, Path::new("/dev/null"))
    }

    fn connect(&self, _: &Layout, _: Duration) -> Result<Connection> {
        has_no_commands()
    }
}
