//! `tokenkeep revoke-tokens`.

use std::io::{self, IsTerminal, Write};

use clap::Args;
use serde::Serialize;
use tokenkeep::{TokenDriver, TokenFilter};

use super::list::{Pages, write_page};
use super::revoke::{answer, tokens};
use crate::args::FilterArgs;
use crate::exit::{Exit, Failure};
use crate::output::{Listing, Output, TOKEN_HEADER};
use crate::session::Session;

/// Revoke every active token that matches
///
/// Asks on the terminal before it does. Where there is none, `--yes` is needed.
#[derive(Debug, Args)]
pub(crate) struct RevokeTokens {
    #[command(flatten)]
    filter: FilterArgs,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    /// Only list the tokens that would be revoked, and their number
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
}

impl RevokeTokens {
    pub(crate) async fn run(self, session: &Session, output: &mut Output) -> Result<Exit, Failure> {
        let filter = self.filter.filter()?;
        if !self.dry_run && !self.yes && !is_somebody_there() {
            return Err(Failure::usage(
                "there is no terminal to ask on: give --yes to revoke, or --dry-run to look",
            ));
        }
        let manager = session.manager().await?;
        if self.dry_run {
            return dry_run(&**manager.driver(), &filter, output).await;
        }
        if !self.yes {
            let count = count(&**manager.driver(), &filter).await?;
            if count == 0 {
                output.note("no active token matches")?;
                return answer(0, output);
            }
            if !ask(count).await? {
                output.note("nothing was revoked")?;
                return Ok(Exit::Negative);
            }
        }
        let revoked = manager.delete_matching(&filter).await?;
        answer(revoked.len(), output)
    }
}

#[derive(Serialize)]
struct WouldRevoke {
    would_revoke: u64,
}

async fn dry_run(
    driver: &dyn TokenDriver,
    filter: &TokenFilter,
    output: &mut Output,
) -> Result<Exit, Failure> {
    let mut pages = Pages::new(filter, None);
    let mut would_revoke = 0;
    let mut listing = Listing::new(&TOKEN_HEADER);
    while pages.more() {
        let items = pages.next(driver, u64::MAX).await?;
        would_revoke += items.len() as u64;
        // Cursors would be of no use: the last line is the number.
        write_page(&items, None, &mut listing, output)?;
    }
    if output.is_json() {
        output.json(&WouldRevoke { would_revoke })?;
    } else {
        output.line(format_args!("would revoke {}", tokens(would_revoke)))?;
    }
    Ok(Exit::Done)
}

async fn count(driver: &dyn TokenDriver, filter: &TokenFilter) -> Result<u64, Failure> {
    let mut pages = Pages::new(filter, None);
    let mut count = 0;
    while pages.more() {
        count += pages.next(driver, u64::MAX).await?.len() as u64;
    }
    Ok(count)
}

fn is_somebody_there() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks on the terminal, on a thread that may wait.
async fn ask(count: u64) -> Result<bool, Failure> {
    let question = format!("revoke {}? [y/N] ", tokens(count));
    let asked = tokio::task::spawn_blocking(move || {
        io::stderr().write_all(question.as_bytes())?;
        let mut line = String::new();
        io::stdin().read_line(&mut line)?;
        Ok(is_yes(&line))
    });
    asked
        .await
        .unwrap_or_else(|error| Err(io::Error::other(error)))
        .map_err(|error| Failure::usage(format!("cannot ask on the terminal: {error}")))
}

fn is_yes(line: &str) -> bool {
    let line = line.trim();
    line.eq_ignore_ascii_case("y") || line.eq_ignore_ascii_case("yes")
}

#[cfg(test)]
mod tests {
    use super::is_yes;

    #[test]
    fn only_yes_is_yes() {
        for (line, meant) in [
            ("y\n", true),
            ("YES\r\n", true),
            ("\n", false),
            ("", false),
            ("yep", false),
        ] {
            assert_eq!(is_yes(line), meant, "{line:?}");
        }
    }
}
