//! What the children do.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokenkeep_core::{
    ErrorKind, ManualClock, Result, Timestamp, TokenDriver as _, TokenDriverExt as _, TokenFilter,
};
use tokenkeep_sled::{SledDriver, SledOptions};

use crate::support::{Outcome, create, id, open, record};

/// Does a job in a folder; ends well if the job did.
pub(crate) fn main(job: &str) -> ExitCode {
    let Some((job, folder)) = job.split_once(' ') else {
        return ExitCode::FAILURE;
    };
    let folder = Path::new(folder);
    let done = match job {
        "hold" => crate::run(hold(folder)),
        "fail" => crate::run(fail(folder)),
        _ => crate::run(fill(folder)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            eprintln!("child: {}", failed.message().unwrap_or_default());
            ExitCode::FAILURE
        }
    }
}

/// Keeps a store open until the input ends.
async fn hold(folder: &Path) -> Outcome {
    let driver = open(folder).await?;
    create(&driver, 0..10, 100).await?;
    println!("open");
    io::stdin().read_to_end(&mut Vec::new())?;
    drop(driver);
    println!("closed");
    Ok(())
}

/// Says why a store cannot be opened.
async fn fail(folder: &Path) -> Outcome {
    let error = open(folder).await.err().ok_or("it was opened")?;
    println!("{error}");
    Ok(())
}

/// Writes until the disk is full; what was acknowledged is there when there is room again.
async fn fill(folder: &Path) -> Outcome {
    let ballast = folder.join("ballast");
    let store = folder.join("store");
    fs::write(&ballast, vec![0; 16 << 20])?;
    let driver = impatient(&store).await?;
    let mut acknowledged = 0;
    let mut begun = Instant::now();
    let error = loop {
        match driver
            .create(record(acknowledged, vec![b'd'; 4_000])?)
            .await
        {
            Ok(()) => acknowledged += 1,
            Err(error) => break error,
        }
        begun = Instant::now();
    };
    in_time(begun);
    // Which of the two is for the disk to say: sled may meet its end in a write of its own before,
    // and then the next call fails with nothing applied.
    let told = [ErrorKind::Indeterminate, ErrorKind::Unavailable];
    assert!(told.contains(&error.kind()), "{error}");
    refuses_all(&driver, acknowledged).await?;
    drop(driver);
    // With no room at all it cannot even be opened, which harms nothing.
    fill_up(&folder.join("more ballast"))?;
    if let Err(error) = impatient(&store).await {
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    }
    fs::remove_file(ballast)?;
    let driver = impatient(&store).await?;
    for number in 0..acknowledged {
        driver.get(&id(number)).await?;
    }
    whole_or_absent(&driver, acknowledged, error.kind()).await?;
    create(&driver, acknowledged + 1..acknowledged + 50, 4_000).await?;
    println!("survived with {acknowledged} tokens");
    Ok(())
}

/// The token whose creation failed is there with all that belongs to it, or not at all; not at all
/// if the error said so.
async fn whole_or_absent(driver: &SledDriver, number: u64, told: ErrorKind) -> Outcome {
    let wanted = record(number, vec![b'd'; 4_000])?;
    let all = TokenFilter::new().with_user("ada")?;
    let listed = driver.list_all(&all).await?;
    let listed = listed.into_iter().find(|token| token.id == wanted.id);
    match driver.get(&wanted.id).await {
        Ok(found) => {
            assert_eq!(told, ErrorKind::Indeterminate, "it was to be absent");
            assert_eq!((&found, listed.as_ref()), (&wanted, Some(&wanted)));
        }
        Err(error) => {
            assert_eq!((error.kind(), listed), (ErrorKind::NotFound, None));
            // Nothing of it is left that would stand in its way.
            driver.create(wanted).await?;
        }
    }
    Ok(())
}

async fn impatient(store: &Path) -> Result<SledDriver> {
    let options = SledOptions::new(store).with_timeout(TIMEOUT);
    let clock = Arc::new(ManualClock::new(Timestamp::MIN));
    SledDriver::open(options, clock).await
}

const TIMEOUT: Duration = Duration::from_secs(10);

/// A machine that has other things to do may come back to it late.
fn in_time(begun: Instant) {
    assert!(begun.elapsed() < TIMEOUT + Duration::from_secs(20));
}

/// Once a write has failed, every call ends in time and says that nothing was done.
async fn refuses_all(driver: &SledDriver, number: u64) -> Outcome {
    for _ in 0..3 {
        let begun = Instant::now();
        let errors = [
            driver.create(record(number + 1, Vec::new())?).await.err(),
            driver.delete(&id(0)).await.err(),
            driver.get(&id(0)).await.err(),
            driver.check().await.err(),
        ];
        in_time(begun);
        for error in errors {
            let error = error.ok_or("a call went well on a full disk")?;
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        }
    }
    Ok(())
}

fn fill_up(path: &Path) -> io::Result<()> {
    let full = fs::write(path, vec![0; 32 << 20]);
    match full {
        Err(error) if error.kind() == io::ErrorKind::StorageFull => Ok(()),
        other => other,
    }
}
