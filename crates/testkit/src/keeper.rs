//! A small shell that outlives the test process, to end its server and remove its folder.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::account::Account;
use crate::error::{Error, Result};

const SCRIPT: &str = include_str!("keeper.sh");

/// Keeps one server: it ends with this value, or with the process.
#[derive(Debug)]
pub(crate) struct Keeper {
    shell: Child,
    // The system closes it when the process ends in any way: that is what the shell waits for.
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Keeper {
    /// Keeps a server that this command runs, in this folder.
    pub(crate) fn new(
        folder: &Path,
        signal: &str,
        command: &[OsString],
        account: Account,
    ) -> Result<Self> {
        let mut shell = Command::new("sh");
        shell
            .args(["-c", SCRIPT, "keeper"])
            .arg(folder)
            .arg(signal)
            .args(command)
            .env("TZ", "Asia/Kathmandu")
            .env("LC_ALL", "C.UTF-8")
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // An interrupt from the terminal ends the tests, and their end ends the server.
            .process_group(0);
        let mut shell = account
            .of(&mut shell)
            .spawn()
            .map_err(Error::while_doing("sh"))?;
        let orders = shell.stdin.take();
        let answers = shell
            .stdout
            .take()
            .ok_or_else(|| Error::failed("sh has no output"))?;
        Ok(Self {
            shell,
            orders,
            answers: BufReader::new(answers),
        })
    }

    /// Starts the server, which must not be running; gives its process id.
    pub(crate) fn start(&mut self) -> Result<i32> {
        let orders = self
            .orders
            .as_mut()
            .ok_or_else(|| Error::failed("the server is gone"))?;
        let mut answer = String::new();
        orders
            .write_all(b"start\n")
            .and_then(|()| self.answers.read_line(&mut answer))
            .map_err(Error::while_doing("the server's keeper"))?;
        answer
            .trim()
            .parse()
            .map_err(|_| Error::failed("the server's keeper is gone"))
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.orders = None;
        // Once it has ended, the server is gone and the folder removed.
        let _ = self.shell.wait();
    }
}
