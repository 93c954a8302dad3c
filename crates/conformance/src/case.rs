//! One case: its name, its rules, and what it is run with.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use serde::Serialize;

use crate::check::Check;
use crate::context::Context;

/// How much a case asks of a store, and of the hooks that its author offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Level {
    /// The rules that calls in a row show. Hooks: `second_handle`, `neighbour`, `contents`.
    Contract,
    /// The rules for calls at the same time. Hook: `second_handle`.
    Concurrency,
    /// What survives the end of the process. Hooks: `reopen`, `kill`.
    Durability,
    /// What happens while the backend does not answer or takes no writes. Hooks: `freeze`, `thaw`,
    /// `stop`, `start`, `read_only`.
    Faults,
}

impl Level {
    /// All levels, in the order in which they are listed.
    pub const ALL: [Self; 4] = [
        Self::Contract,
        Self::Concurrency,
        Self::Durability,
        Self::Faults,
    ];

    /// Whether its cases do things to the backend that other stores on it would feel.
    pub(crate) const fn is_disturbing(self) -> bool {
        matches!(self, Self::Durability | Self::Faults)
    }

    /// The name that stands before `::` in the full name of a case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Contract => "contract",
            Self::Concurrency => "concurrency",
            Self::Durability => "durability",
            Self::Faults => "faults",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a case is called and which rules it checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CaseInfo {
    /// The case's name, unique in the suite.
    pub name: &'static str,
    /// The level it belongs to.
    pub level: Level,
    /// The rules of the contract that it checks, such as `R6`.
    pub rules: &'static [&'static str],
}

impl CaseInfo {
    /// The name that is shown and filtered by: `level::name`.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{}::{}", self.level, self.name)
    }
}

/// A case with its code.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    pub(crate) info: CaseInfo,
    pub(crate) run: fn(Context) -> Pin<Box<dyn Future<Output = Check> + Send>>,
}

/// The list of a file's cases, each named once; a function that no list names is dead code.
macro_rules! cases {
    ($level:ident: $($name:ident [$($rule:ident)+],)+) => {
        pub(crate) const CASES: &[crate::case::Case] = &[$(
            crate::case::Case {
                info: crate::case::CaseInfo {
                    name: stringify!($name),
                    level: crate::case::Level::$level,
                    rules: &[$(stringify!($rule)),+],
                },
                run: |ctx| Box::pin($name(ctx)),
            },
        )+];
    };
}

pub(crate) use cases;
