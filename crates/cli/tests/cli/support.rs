//! Runs the real program in a folder of its own.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

/// How long any call may take before it counts as hung.
pub(crate) const BOUND: Duration = Duration::from_secs(120);

/// A folder in which the program runs; its default store is in it.
pub(crate) struct Home {
    folder: TempDir,
    /// The store's URL, as the environment gives it.
    store: Option<String>,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            store: None,
        }
    }

    /// The same with another store.
    pub(crate) fn with_store(mut self, url: &str) -> Self {
        self.store = Some(url.to_owned());
        self
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file; gives its path.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// The program, without the environment of whoever runs the tests.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tokenkeep"));
        command.env_clear().current_dir(self.path()).args(args);
        command.envs(self.variables());
        command.timeout(BOUND);
        command
    }

    /// The same for a program that is left running.
    pub(crate) fn spawnable(&self, args: &[&str]) -> std::process::Command {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tokenkeep"));
        command.env_clear().current_dir(self.path()).args(args);
        command.envs(self.variables());
        command.stdin(Stdio::null());
        command.stdout(Stdio::piped());
        command.stderr(Stdio::piped());
        command
    }

    fn variables(&self) -> Option<(&str, &str)> {
        let url = self.store.as_deref()?;
        Some(("TOKENKEEP_STORE__URL", url))
    }

    pub(crate) fn run(&self, args: &[&str]) -> Answer {
        Answer::of(self.command(args))
    }

    pub(crate) fn run_with(&self, args: &[&str], stdin: &str) -> Answer {
        let mut command = self.command(args);
        command.write_stdin(stdin);
        Answer::of(command)
    }

    /// Creates a token; gives what the program says of it.
    pub(crate) fn create(&self, args: &[&str]) -> Value {
        let mut all = vec!["create", "--format", "json"];
        all.extend(args);
        self.run(&all).expect(0).json()
    }

    /// Creates a token; gives its secret.
    pub(crate) fn token(&self, args: &[&str]) -> String {
        self.create(args)["token"].as_str().unwrap().to_owned()
    }

    pub(crate) fn is_valid(&self, token: &str) -> bool {
        let answer = self.run_with(&["validate", "--format", "json"], token);
        let valid = answer.json()["valid"].as_bool().unwrap();
        assert_eq!(answer.code, i32::from(!valid), "{answer:?}");
        valid
    }
}

/// How a run of the program ended.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Answer {
    pub(crate) fn of(mut command: Command) -> Self {
        let output = command.output().unwrap();
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Checks the exit code.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }

    /// Checks that it failed with this code, an answer of nothing, and one line that says this.
    #[track_caller]
    pub(crate) fn refused(self, code: i32, says: &str) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        assert_eq!(self.out, "", "{self:?}");
        assert!(self.err.starts_with("error: "), "{self:?}");
        assert!(self.err.contains(says), "{says:?} is not in {self:?}");
        self
    }

    /// The answer as one line of JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        let mut lines = self.lines();
        assert_eq!(lines.len(), 1, "{self:?}");
        lines.remove(0)
    }

    /// The answer as lines of JSON.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let parse = |line| serde_json::from_str(line).unwrap();
        self.out.lines().map(parse).collect()
    }
}

/// Sends a signal; `INT` is what Ctrl-C does.
pub(crate) fn signal(child: &std::process::Child, name: &str) {
    let sent = std::process::Command::new("kill")
        .args(["-s", name, &child.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
}
