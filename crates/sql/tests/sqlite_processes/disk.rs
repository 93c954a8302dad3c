//! A disk of a child's own: small, or read-only.

use std::env;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use libtest_mimic::Completion;
use tokenkeep_core::{ErrorKind, TokenDriver as _, TokenFilter, TokenId, TokenRecord};

use crate::{CHILD, Tried, open, record};

/// Writes until the disk is full; what was acknowledged stays, and the same driver goes on when there
/// is room again.
pub(crate) async fn fill(file: &Path) -> Tried {
    let folder = file.parent().ok_or("no folder")?;
    let ballast = folder.join("ballast");
    fs::write(&ballast, vec![0; 8 << 20])?;
    let driver = open(file).await?;
    let mut acknowledged = 0;
    let error = loop {
        match driver.create(large(acknowledged)?).await {
            Ok(()) => acknowledged += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(acknowledged > 100);
    let errors = [
        driver.create(large(acknowledged)?).await.err(),
        driver.create_many(vec![large(acknowledged)?]).await.err(),
        driver.rotate(&id(0), large(acknowledged)?).await.err(),
    ];
    for error in errors {
        let error = error.ok_or("a call went well on a full disk")?;
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    }
    holds(&driver, acknowledged).await?;
    fs::remove_file(ballast)?;
    holds(&driver, acknowledged).await?;
    driver.create(large(acknowledged)?).await?;
    drop(driver);
    let driver = open(file).await?;
    holds(&driver, acknowledged + 1).await?;
    let all = TokenFilter::new().with_user("ada")?;
    let revoked = driver.delete_tokens(&all).await?;
    assert_eq!(revoked.len() as u64, acknowledged + 1);
    println!("survived");
    Ok(())
}

async fn holds(driver: &tokenkeep_sql::SqlDriver, count: u64) -> Tried {
    for number in 0..count {
        driver.get(&id(number)).await?;
    }
    match driver.get(&id(count)).await {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => Err(format!("it was to be absent: {other:?}").into()),
    }
}

fn id(number: u64) -> TokenId {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    TokenId::from_bytes(bytes)
}

fn large(number: u64) -> tokenkeep_core::Result<TokenRecord> {
    Ok(record(id(number))?.with_data(vec![b'd'; 20_000]))
}

/// Says why a store cannot be opened.
pub(crate) async fn fail(file: &Path) -> Tried {
    let error = open(file).await.err().ok_or("it was opened")?;
    println!("{error}");
    Ok(())
}

pub(crate) fn full() -> Tried<Completion> {
    on_own_disk("24m", "true", "fill", &["survived"])
}

pub(crate) fn read_only() -> Tried<Completion> {
    let store = tempfile::tempdir()?;
    let file = store.path().join("own.db");
    crate::runtime()?.block_on(async {
        let driver = open(&file).await?;
        driver.create(record(id(1))?).await
    })?;
    let prepare = format!(
        "cp -r {}/. . && mount -o remount,bind,ro .",
        store.path().display()
    );
    on_own_disk("16m", &prepare, "fail", &["Config", "read-only"])
}

/// Runs a child whose folder is a small disk in memory, seen by that child alone.
fn on_own_disk(size: &str, prepare: &str, job: &str, wanted: &[&str]) -> Tried<Completion> {
    let folder = tempfile::tempdir()?;
    let is_root = fs::metadata(folder.path())?.uid() == 0;
    let flags = if is_root { "-m" } else { "-Urm" };
    if !may_mount(flags, folder.path())? && env::var_os("TOKENKEEP_REQUIRE_SERVERS").is_none() {
        let reason = "a process of this user may not mount a disk of its own";
        return Ok(Completion::ignored_with(reason));
    }
    let script =
        format!("mount -t tmpfs -o size={size} tmpfs . && cd \"$PWD\" && {prepare} && exec \"$0\"");
    let file = folder.path().join("own.db");
    let output = Command::new("unshare")
        .args([flags, "sh", "-c", &script])
        .arg(env::current_exe()?)
        .current_dir(folder.path())
        .env(CHILD, format!("{job} 0 {}", file.display()))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() || wanted.iter().any(|wanted| !text.contains(wanted)) {
        return Err(format!("the child ended with {} and said: {text}", output.status).into());
    }
    Ok(Completion::Completed)
}

fn may_mount(flags: &str, folder: &Path) -> io::Result<bool> {
    let mut mount = Command::new("unshare");
    mount
        .args([flags, "mount", "-t", "tmpfs", "tmpfs"])
        .arg(folder)
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    Ok(mount.status()?.success())
}
