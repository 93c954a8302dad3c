//! A missing program is a reason to show, or a failure where programs are required.

use std::env;
use std::process::{Command, ExitCode, Output};

use libtest_mimic::{Arguments, Failed, Trial};
use tokenkeep_testkit::{Error, REQUIRE_VARIABLE, require, require_or_tell};

/// Makes this program ask for a server: one that is missing, or one that failed.
const ROLE: &str = "TOKENKEEP_TESTKIT_ASKS_FOR";

type Told = Result<(), Failed>;

fn main() -> ExitCode {
    match env::var(ROLE).as_deref() {
        Ok("missing") => return asks(Error::Missing("no such program".to_owned())),
        Ok(_) => return asks(Error::Failed("no such luck".to_owned())),
        Err(_) => {}
    }
    let trials = vec![
        Trial::test("a_missing_program_is_a_reason_to_show", missing),
        Trial::test("a_missing_program_fails_where_it_is_required", required),
        Trial::test("a_failed_server_always_fails", failed),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn asks(error: Error) -> ExitCode {
    if require_or_tell::<()>(Err(error.clone())).is_some() {
        return ExitCode::FAILURE;
    }
    match require::<()>(Err(error)) {
        Ok(()) => ExitCode::FAILURE,
        Err(reason) => {
            println!("ignored: {reason}");
            ExitCode::SUCCESS
        }
    }
}

fn run(role: &str, required: &str) -> Result<(Output, String), Failed> {
    let output = Command::new(env::current_exe()?)
        .env(ROLE, role)
        .env(REQUIRE_VARIABLE, required)
        .output()?;
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    Ok((output, String::from_utf8_lossy(&text).into_owned()))
}

fn missing() -> Told {
    let (output, text) = run("missing", "0")?;
    let told = text.contains("ignored: no such program")
        && text.contains("NOT RUN: main: no such program");
    if output.status.success() && told {
        Ok(())
    } else {
        Err(text.into())
    }
}

fn required() -> Told {
    let (output, text) = run("missing", "1")?;
    if !output.status.success() && text.contains("no such program") && !text.contains("ignored") {
        Ok(())
    } else {
        Err(text.into())
    }
}

fn failed() -> Told {
    let (output, text) = run("failed", "0")?;
    if !output.status.success() && text.contains("no such luck") && !text.contains("ignored") {
        Ok(())
    } else {
        Err(text.into())
    }
}
