//! What surrounds a store: other processes, rights, the disk.
//!
//! Some tests start this program again as a child, as another user or with a disk of its own.

mod children;
#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "each test program uses a part of it")]
mod support;

use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use support::{Outcome, count, create, open, open_store};
use tokenkeep_core::{ErrorKind, Result};
use tokenkeep_sled::SledDriver;

/// What a test gives.
type Tried<T = ()> = std::result::Result<T, Failed>;

/// What a child is to do, and where: set in children alone.
const CHILD: &str = "TOKENKEEP_SLED_CHILD";
/// A user that owns nothing.
const NOBODY: u32 = 65_534;
/// A child has all files of this process open until its program runs, the locks of stores among
/// them: no child is started while a test closes a store and opens it again.
static FORKS: RwLock<()> = RwLock::new(());

fn main() -> ExitCode {
    if let Ok(job) = env::var(CHILD) {
        return children::main(&job);
    }
    let trials = vec![
        Trial::test("a_folder_in_use_by_another_process", in_use_elsewhere),
        Trial::test("a_killed_process_holds_no_lock", killed_elsewhere),
        Trial::test("a_folder_opened_twice_in_one_process", opened_twice),
        Trial::test("a_dropped_store_is_free_at_once", free_at_once),
        Trial::test("a_folder_without_rights", without_rights),
        Trial::test("a_file_in_place_of_the_folder", file_for_folder),
        Trial::ignorable_test("a_read_only_file_system", read_only_disk),
        Trial::ignorable_test("a_full_disk", full_disk),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn in_use_elsewhere() -> Tried {
    let folder = tempfile::tempdir()?;
    let mut child = spawn(&mut child("hold", folder.path())?)?;
    wait_for_line(&mut child, "open")?;
    is_in_use(opened(folder.path())?)?;
    // The child closes its store when its input ends.
    drop(child.stdin.take());
    wait_for_line(&mut child, "closed")?;
    opened(folder.path())??;
    ended_well(child)
}

fn killed_elsewhere() -> Tried {
    let folder = tempfile::tempdir()?;
    let mut child = spawn(&mut child("hold", folder.path())?)?;
    wait_for_line(&mut child, "open")?;
    child.kill()?;
    child.wait()?;
    opened(folder.path())??;
    Ok(())
}

fn opened_twice() -> Tried {
    let _alone = no_forks();
    let folder = tempfile::tempdir()?;
    let first = opened(folder.path())??;
    is_in_use(opened(folder.path())?)?;
    drop(first);
    opened(folder.path())??;
    Ok(())
}

fn free_at_once() -> Tried {
    let _alone = no_forks();
    let folder = tempfile::tempdir()?;
    for number in 0..3 {
        run(async {
            let driver = open(folder.path()).await?;
            create(&driver, number * 10..number * 10 + 10, 100).await?;
            let clone = driver.clone();
            drop(driver);
            assert!(open(folder.path()).await.is_err(), "a clone still holds it");
            drop(clone);
            let store = open_store(folder.path()).await?;
            let weak = store.downgrade();
            assert_eq!(
                count(&store.driver("default").await?).await?,
                10 * (number as usize + 1)
            );
            store.close().await?;
            assert!(weak.upgrade().is_none());
            Ok(())
        })?;
    }
    Ok(())
}

fn without_rights() -> Tried {
    let outer = tempfile::tempdir()?;
    set_mode(outer.path(), 0o755)?;
    let store = outer.path().join("store");
    drop(opened(&store)?);
    for (path, mode) in [
        ("blobs", 0o555),
        ("db", 0o444),
        ("conf", 0o444),
        ("tokenkeep.mark", 0o444),
    ] {
        set_mode(&store.join(path), mode)?;
    }
    set_mode(&store, 0o555)?;
    let program = outer.path().join("program");
    copy_program(&program)?;
    let mut command = child_of(&program, "fail", &store);
    if fs::metadata(&store)?.uid() == 0 {
        // Rights do not bind this user.
        command.uid(NOBODY).gid(NOBODY);
    }
    let error = ended_with(command)?;
    set_mode(&store, 0o755)?;
    set_mode(&store.join("blobs"), 0o755)?;
    says(&error, &["Config", "permission is denied"])
}

fn file_for_folder() -> Tried {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("file");
    fs::write(&file, "text")?;
    for path in [file.clone(), file.join("below")] {
        let error = opened(&path)?.err().ok_or("it was opened")?;
        says(&error.to_string(), &["Config", "file", "sled open"])?;
    }
    assert_eq!(fs::read(&file)?, b"text");
    Ok(())
}

fn read_only_disk() -> Tried<Completion> {
    let store = tempfile::tempdir()?;
    drop(opened(store.path())?);
    let prepare = format!(
        "cp -r {}/. . && mount -o remount,bind,ro .",
        store.path().display()
    );
    on_own_disk("16m", &prepare, "fail", |error| {
        says(error, &["Config", "read-only"])
    })
}

fn full_disk() -> Tried<Completion> {
    on_own_disk("24m", "true", "fill", |output| says(output, &["survived"]))
}

/// Runs a child whose folder is a small disk in memory, seen by that child alone.
fn on_own_disk(
    size: &str,
    prepare: &str,
    job: &str,
    judge: impl FnOnce(&str) -> Tried,
) -> Tried<Completion> {
    let folder = tempfile::tempdir()?;
    let is_root = fs::metadata(folder.path())?.uid() == 0;
    let flags = if is_root { "-m" } else { "-Urm" };
    let mut mount = Command::new("unshare");
    mount
        .args([flags, "mount", "-t", "tmpfs", "tmpfs"])
        .arg(folder.path())
        .stderr(Stdio::null());
    if spawn(&mut mount)
        .map_err(Failed::from)
        .and_then(ended_well)
        .is_err()
        && env::var_os("TOKENKEEP_REQUIRE_SERVERS").is_none()
    {
        let reason = "a process of this user may not mount a disk of its own";
        return Ok(Completion::ignored_with(reason));
    }
    let script =
        format!("mount -t tmpfs -o size={size} tmpfs . && cd \"$PWD\" && {prepare} && exec \"$0\"");
    let mut command = Command::new("unshare");
    command
        .args([flags, "sh", "-c", &script])
        .arg(env::current_exe()?)
        .current_dir(folder.path())
        .env(CHILD, format!("{job} {}", folder.path().display()));
    let output = ended_with(command)?;
    judge(&output).map(|()| Completion::Completed)
}

fn child(job: &str, folder: &Path) -> Tried<Command> {
    Ok(child_of(&env::current_exe()?, job, folder))
}

fn child_of(program: &Path, job: &str, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env(CHILD, format!("{job} {}", folder.display()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

/// Starts a child; returns once its program runs.
fn spawn(command: &mut Command) -> std::io::Result<Child> {
    let _alone = FORKS.write().unwrap_or_else(PoisonError::into_inner);
    command.spawn()
}

fn no_forks() -> RwLockReadGuard<'static, ()> {
    FORKS.read().unwrap_or_else(PoisonError::into_inner)
}

/// Copies this program to where another user can run it, wherever the build is.
fn copy_program(to: &Path) -> Tried {
    // By a process of its own: a file that this one writes may be open in a child of another test,
    // and cannot be run meanwhile.
    let copied = Command::new("cp")
        .arg(env::current_exe()?)
        .arg(to)
        .spawn()?;
    ended_well(copied)?;
    set_mode(to, 0o755)?;
    Ok(())
}

/// Runs a child to its end and gives what it wrote.
fn ended_with(mut command: Command) -> Tried<String> {
    let mut child = spawn(command.stdin(Stdio::null()).stdout(Stdio::piped()))?;
    let mut output = String::new();
    if let Some(mut stdout) = child.stdout.take() {
        stdout.read_to_string(&mut output)?;
    }
    ended_well(child)?;
    Ok(output)
}

fn ended_well(mut child: Child) -> Tried {
    let status = child.wait()?;
    if status.success() {
        return Ok(());
    }
    Err(format!("the child ended with {status}").into())
}

fn wait_for_line(child: &mut Child, wanted: &str) -> Tried {
    let output = child.stdout.as_mut().ok_or("the child has no output")?;
    let mut line = String::new();
    // The child says one line at a time and waits, so nothing beyond the line is taken.
    BufReader::with_capacity(1, output).read_line(&mut line)?;
    says(&line, &[wanted])
}

fn says(text: &str, wanted: &[&str]) -> Tried {
    match wanted.iter().find(|wanted| !text.contains(**wanted)) {
        None => Ok(()),
        Some(missing) => Err(format!("{missing:?} is missing in {text:?}").into()),
    }
}

fn is_in_use(opened: Result<SledDriver>) -> Tried {
    let error = opened.err().ok_or("it was opened")?;
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    says(&error.to_string(), &["in use: one process at a time"])
}

fn opened(folder: &Path) -> Tried<Result<SledDriver>> {
    run(async { Ok(open(folder).await) })
}

fn run<T>(test: impl Future<Output = Outcome<T>>) -> Tried<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(test).map_err(Failed::from)
}

fn set_mode(path: &Path, mode: u32) -> std::io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}
