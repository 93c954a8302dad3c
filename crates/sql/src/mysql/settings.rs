//! The settings of a session: whatever a server's defaults are, the statements mean the same.

use std::time::Duration;

use super::server::Family;
use crate::options::ServerOptions;

/// What a server's defaults may change of the meaning of a statement or a transaction, as the
/// statements count on it.
const MEANING: &str = "\
     sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', autocommit = 1, \
     completion_type = 'NO_CHAIN', sql_select_limit = 18446744073709551615, sql_safe_updates = 0, \
     sql_big_selects = 1, unique_checks = 1, max_sort_length = 1024";

/// How much longer than its longest call a session stays when it does nothing.
const GRACE: Duration = Duration::from_secs(2);

/// One message with the settings of a session. Only numbers and constants stand in it.
///
/// No family means a session for the schema, whose statements take as long as the data need.
pub(super) fn settings(options: &ServerOptions, family: Option<Family>) -> String {
    let longest = options.common.timeout;
    let statement = options.statement_timeout.unwrap_or(longest).min(longest);
    let idle = seconds(longest.saturating_add(GRACE));
    // What a client that was lost holds locked is let go once its session has stood still for long.
    let limits = match family {
        Some(Family::MariaDb) => format!(
            "max_statement_time = {}, idle_transaction_timeout = {idle}, \
             idle_readonly_transaction_timeout = {idle}, idle_write_transaction_timeout = {idle}",
            seconds_with_digits(statement)
        ),
        Some(Family::MySql) => format!(
            "max_execution_time = {}, wait_timeout = {idle}",
            milliseconds(statement)
        ),
        // MySQL takes the last part for a comment.
        None => format!("wait_timeout = {idle} /*M! , max_statement_time = 0 */"),
    };
    // A wait for a lock ends before the call, so that the answer is a plain refusal.
    let lock = seconds(statement.mul_f64(0.75));
    format!(
        "SET SESSION {MEANING}, innodb_lock_wait_timeout = {lock}, lock_wait_timeout = {lock}, \
         net_read_timeout = {idle}, net_write_timeout = {idle}, {limits}; \
         SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE"
    )
}

/// A setting in whole seconds, at least one; a week and a half is as good as for ever.
fn seconds(span: Duration) -> u64 {
    span.as_secs().clamp(1, 1_000_000)
}

/// A setting in seconds with a fraction; zero would mean none.
fn seconds_with_digits(span: Duration) -> f64 {
    span.as_secs_f64().clamp(0.001, 1_000_000.0)
}

/// A setting in milliseconds; zero would mean none.
fn milliseconds(span: Duration) -> u128 {
    span.as_millis().clamp(1, 1_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::SqlOptions;
    use tokenkeep_backend::Tls;

    fn with(family: Option<Family>, timeout: Duration) -> String {
        let options = ServerOptions {
            host: String::new(),
            port: 0,
            user: String::new(),
            password: None,
            database: String::new(),
            namespace: String::new(),
            tls: Tls::default(),
            statement_timeout: None,
            common: SqlOptions {
                timeout,
                ..SqlOptions::default()
            },
        };
        settings(&options, family)
    }

    #[test]
    fn a_session_that_stands_still_ends_soon_after_its_longest_call() {
        let timeout = Duration::from_millis(8_500);
        for family in [Some(Family::MySql), None] {
            assert!(with(family, timeout).contains(" wait_timeout = 10"));
        }
        let text = with(Some(Family::MariaDb), timeout);
        assert!(text.contains(" idle_transaction_timeout = 10,"), "{text}");
        assert!(
            text.contains(" idle_write_transaction_timeout = 10;"),
            "{text}"
        );
    }

    #[test]
    fn a_wait_for_a_lock_ends_before_the_call() {
        let text = with(Some(Family::MySql), Duration::from_secs(8));
        assert!(text.contains("innodb_lock_wait_timeout = 6, lock_wait_timeout = 6,"));
        assert!(text.contains("max_execution_time = 8000,"), "{text}");
    }

    #[test]
    fn no_timeout_is_beyond_what_a_setting_takes() {
        for timeout in [Duration::ZERO, Duration::MAX] {
            let text = with(Some(Family::MariaDb), timeout);
            let numbers = text.split(|letter: char| !letter.is_ascii_digit());
            let most = numbers.filter_map(|number| number.parse::<u64>().ok());
            let most = most.filter(|number| *number != u64::MAX).max();
            assert!(most.is_some_and(|most| most <= 1_000_000), "{text}");
            assert!(!text.contains("timeout = 0"), "{text}");
        }
    }
}
