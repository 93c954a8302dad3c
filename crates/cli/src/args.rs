//! The command line: global options, and the groups of options that several commands share.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use tokenkeep::{Text, Timestamp, TokenFilter, parse_duration};

use crate::commands;
use crate::exit::Failure;
use crate::output::Format;

const EXIT_CODES: &str = "\
Exit codes: 0 done; 1 a negative answer (no such token, a case failed); 2 wrong usage,
configuration or input; 3 the store could not be used or the answer not written; 130 ended by
Ctrl-C.";

/// The heading above the options that every command takes.
const GLOBAL: &str = "Global options";

/// Issues, validates, revokes, lists and flushes opaque tokens on any store.
#[derive(Debug, Parser)]
#[command(name = "tokenkeep", version, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Args)]
pub(crate) struct Global {
    /// The store, such as `sled:PATH` or `postgres://USER@HOST/DATABASE`. Goes before
    /// TOKENKEEP_STORE__URL, which goes before the config file; the default is sled:./tokenkeep-data
    #[arg(long, global = true, value_name = "URL", help_heading = GLOBAL)]
    pub(crate) store: Option<String>,
    /// A TOML file with the configuration; by default the one that TOKENKEEP_CONFIG names
    #[arg(long, global = true, value_name = "FILE", help_heading = GLOBAL)]
    pub(crate) config: Option<PathBuf>,
    /// How answers are written
    #[arg(long, global = true, value_enum, default_value_t, help_heading = GLOBAL)]
    pub(crate) format: Format,
    /// Log what is done, to standard error; TOKENKEEP_LOG has finer control
    #[arg(long, short, global = true, help_heading = GLOBAL)]
    pub(crate) verbose: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Create(commands::create::Create),
    Validate(commands::validate::Validate),
    Show(commands::show::Show),
    Revoke(commands::revoke::Revoke),
    RevokeTokens(commands::revoke_tokens::RevokeTokens),
    List(commands::list::List),
    Revoked(commands::revoked::Revoked),
    Flush(commands::flush::Flush),
    Check(commands::check::Check),
    Migrate(commands::migrate::Migrate),
    Config(commands::config::ShowConfig),
    Conformance(commands::conformance::Conformance),
    Demo(commands::demo::Demo),
    Completions(commands::completions::Completions),
}

/// Which tokens: all conditions hold at once, and at least one of the first five is needed.
#[derive(Debug, Args)]
pub(crate) struct FilterArgs {
    /// Tokens for this user
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// Tokens scoped to this tenant (project)
    #[arg(long, value_name = "ID")]
    tenant: Option<String>,
    /// Tokens scoped to this domain
    #[arg(long, value_name = "ID")]
    domain: Option<String>,
    /// Tokens made from this trust
    #[arg(long, value_name = "ID")]
    trust: Option<String>,
    /// Tokens issued to this OAuth consumer
    #[arg(long, value_name = "ID")]
    consumer: Option<String>,
    /// Only the token with this audit id
    #[arg(long, value_name = "ID")]
    audit_id: Option<String>,
    /// Only tokens of this family: the audit id of its first token
    #[arg(long, value_name = "ID")]
    audit_chain: Option<String>,
    /// Only tokens issued earlier than this RFC 3339 instant
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    issued_before: Option<Timestamp>,
}

impl FilterArgs {
    /// The filter, checked: without an anchor it names the flags that are.
    pub(crate) fn filter(&self) -> Result<TokenFilter, Failure> {
        let Self {
            user,
            tenant,
            domain,
            trust,
            consumer,
            audit_id,
            audit_chain,
            issued_before,
        } = self;
        let filter = TokenFilter {
            user_id: text("--user", user)?,
            tenant_id: text("--tenant", tenant)?,
            domain_id: text("--domain", domain)?,
            trust_id: text("--trust", trust)?,
            consumer_id: text("--consumer", consumer)?,
            audit_id: text("--audit-id", audit_id)?,
            audit_chain_id: text("--audit-chain", audit_chain)?,
            issued_before: *issued_before,
        };
        match filter.check() {
            Ok(_) => Ok(filter),
            Err(_) => Err(Failure::usage(
                "give at least one of --user, --tenant, --domain, --trust and --consumer",
            )),
        }
    }
}

/// Checks a text that a flag gives; an error names the flag.
pub(crate) fn text(flag: &str, value: &Option<String>) -> Result<Option<Text>, Failure> {
    let checked = value.as_deref().map(|value| Text::new(flag, value));
    Ok(checked.transpose()?)
}

/// Reads an RFC 3339 instant.
pub(crate) fn instant(value: &str) -> Result<Timestamp, String> {
    value
        .parse()
        .map_err(|error: tokenkeep::Error| error.message().to_owned())
}

/// Reads a span such as `90m` or `1h 30m`.
pub(crate) fn span(value: &str) -> Result<Duration, String> {
    parse_duration(value).map_err(|error| error.message().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
