//! PostgreSQL.

use std::ffi::OsString;
use std::fs;
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

/// Executed once, by the server in single-user mode: one statement a line.
const SETUP: &str = "\
CREATE ROLE tokenkeep LOGIN PASSWORD 'k33p/it@home:100%'
CREATE DATABASE tokenkeep OWNER tokenkeep
";

#[derive(Debug)]
pub(crate) struct Postgres;

impl Engine for Postgres {
    fn name(&self) -> &'static str {
        "postgres"
    }

    fn scheme(&self) -> &'static str {
        "postgres"
    }

    fn program(&self) -> &'static str {
        "postgres"
    }

    fn accounts(&self) -> &'static [&'static str] {
        &["postgres", "nobody"]
    }

    fn setup(&self) -> &'static str {
        SETUP
    }

    fn initialise(&self, data: &Path, account: Account) -> Result<()> {
        account.is_not_root("PostgreSQL")?;
        let initdb = programs::find("initdb")?;
        let password = file(data, "password", &format!("{ADMIN_PASSWORD}\n"), account)?;
        let mut command = Command::new(initdb);
        command
            .arg("--pgdata")
            .arg(data.join("data"))
            .args(["--username", ADMIN, "--auth", "scram-sha-256"])
            .arg("--pwfile")
            .arg(&password)
            .args(["--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync"])
            .current_dir(data);
        programs::run(account.of(&mut command), Path::new("/dev/null"))?;
        let setup = file(data, "setup.sql", SETUP, account)?;
        let mut command = Command::new(programs::find(self.program())?);
        command
            .args(["--single", "-D"])
            .arg(data.join("data"))
            .arg("postgres")
            .current_dir(data);
        programs::run(account.of(&mut command), &setup).map(drop)
    }

    fn command(&self, layout: &Layout, settings: &Settings) -> Result<Vec<OsString>> {
        let durable = if settings.relaxed { "off" } else { "on" };
        let mut ours = vec![
            ("port", layout.port.to_string()),
            ("listen_addresses", "127.0.0.1".to_owned()),
            (
                "unix_socket_directories",
                layout.folder.display().to_string(),
            ),
            // Of no country that the tests or their machines are likely to be in.
            ("timezone", "Asia/Kathmandu".to_owned()),
            ("max_connections", "400".to_owned()),
            ("shared_buffers", "32MB".to_owned()),
            // In the folder, where nothing of it is left behind by a server that was killed.
            ("dynamic_shared_memory_type", "mmap".to_owned()),
            ("fsync", durable.to_owned()),
            ("synchronous_commit", durable.to_owned()),
            ("full_page_writes", durable.to_owned()),
        ];
        if version(&layout.data()) >= 14 {
            // After a kill: one flush of the whole file system instead of one of each file.
            ours.push(("recovery_init_sync_method", "syncfs".to_owned()));
        }
        if let Some(tls) = &layout.tls {
            ours.push(("ssl", "on".to_owned()));
            ours.push(("ssl_cert_file", tls.certificate.display().to_string()));
            ours.push(("ssl_key_file", tls.key.display().to_string()));
        }
        let program = programs::find(self.program())?.into_os_string();
        let data = layout.data().into_os_string();
        let mut command = vec![program, "-D".into(), data];
        for (name, value) in merged(&ours, settings) {
            command.extend(["-c".into(), format!("{name}={value}").into()]);
        }
        Ok(command)
    }

    fn socket(&self, layout: &Layout) -> PathBuf {
        layout.folder.join(format!(".s.PGSQL.{}", layout.port))
    }

    /// The server writes its state into a file: the first line is its process, the eighth `ready`.
    fn is_ready(&self, layout: &Layout, pid: i32) -> bool {
        let state = layout.data().join("postmaster.pid");
        let state = fs::read_to_string(state).unwrap_or_default();
        let line = |number| state.lines().nth(number).map_or("", str::trim);
        line(0) == pid.to_string() && line(7) == "ready"
    }

    /// Ends sessions and rolls back; waiting for clients to go could take for ever.
    fn stop_signal(&self) -> Signal {
        Signal::SIGINT
    }

    /// At once, but not without giving back the shared memory, which would outlive the server.
    fn end_signal(&self) -> &'static str {
        "QUIT"
    }

    fn execute(&self, layout: &Layout, text: &str) -> Result<String> {
        let mut command = Command::new(programs::find("psql")?);
        command
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"])
            .arg("-h")
            .arg(&layout.folder)
            .args(["-p", &layout.port.to_string(), "-U", ADMIN])
            .args(["-d", "tokenkeep", "-c", text])
            .env("PGPASSWORD", ADMIN_PASSWORD)
            .env("PGCONNECT_TIMEOUT", "30");
        programs::run(&mut command, Path::new("/dev/null"))
    }

    fn connect(&self, _: &Layout, _: Duration) -> Result<Connection> {
        has_no_commands()
    }
}

/// The version that made the data; 0 if that is not to be read.
fn version(data: &Path) -> u32 {
    let version = fs::read_to_string(data.join("PG_VERSION")).unwrap_or_default();
    version.trim().parse().unwrap_or_default()
}

/// A file of this account beside the data.
fn file(folder: &Path, name: &str, text: &str, account: Account) -> Result<PathBuf> {
    let path = folder.join(name);
    fs::write(&path, text).map_err(Error::while_doing(path.display()))?;
    account.own(&path)?;
    Ok(path)
}
