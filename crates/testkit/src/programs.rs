//! The programs of the machine, and how they are run.

use std::env;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// How long one program may take: to make a database anew on a busy machine.
const BOUND: Duration = Duration::from_secs(120);

/// Where a program lies, on the `PATH` or where Debian keeps what is not on it.
pub(crate) fn find(name: &str) -> Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(elsewhere())
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
        .ok_or_else(|| Error::Missing(format!("the program {name} is not installed")))
}

fn elsewhere() -> Vec<PathBuf> {
    let mut versions: Vec<_> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin"))
        .collect();
    versions.sort();
    versions.reverse();
    versions.extend(["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from));
    versions
}

/// Runs a program to its end, with this input; gives what it wrote, and fails with what it
/// complained of.
pub(crate) fn run(command: &mut Command, input: &Path) -> Result<String> {
    let name = Path::new(command.get_program()).display().to_string();
    let input = fs::File::open(input).map_err(Error::while_doing(input.display()))?;
    let mut child = command
        .stdin(input)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(Error::while_doing(&name))?;
    let out = read(child.stdout.take());
    let complaints = read(child.stderr.take());
    let status = wait(&mut child).map_err(|what| Error::failed(format_args!("{name}: {what}")))?;
    let out = out.join().unwrap_or_default();
    let complaints = complaints.join().unwrap_or_default();
    if status.success() {
        return Ok(out);
    }
    let complaints = complaints.trim();
    Err(Error::failed(format_args!(
        "{name}: {status}: {complaints}"
    )))
}

fn read(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What could be read is told; the exit status says whether the program was content.
            let _ = pipe.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn wait(child: &mut Child) -> std::result::Result<ExitStatus, String> {
    let begun = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) if begun.elapsed() < BOUND => thread::sleep(Duration::from_millis(2)),
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("took longer than {BOUND:?}"));
            }
            Err(error) => return Err(error.to_string()),
        }
    }
}
