//! The schema of a store that has one, and the steps that lead to the newest.

/// Which steps a store's schema has taken, of those that this program knows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SchemaStatus {
    /// Where in its server the store lives (R18).
    pub namespace: String,
    /// The steps, oldest first.
    pub steps: Vec<SchemaStep>,
}

/// One step of a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SchemaStep {
    /// Counted from 1.
    pub version: u32,
    /// What it brings, in a word or two.
    pub name: String,
    /// Whether the store has it.
    pub is_applied: bool,
    /// Whether the call that tells this applied it.
    pub is_new: bool,
}

impl SchemaStatus {
    /// A status, for factories of one's own.
    #[must_use]
    pub fn new(namespace: impl Into<String>, steps: Vec<SchemaStep>) -> Self {
        Self {
            namespace: namespace.into(),
            steps,
        }
    }

    /// Tells whether the store has every step.
    #[must_use]
    pub fn is_newest(&self) -> bool {
        self.steps.iter().all(|step| step.is_applied)
    }
}

impl SchemaStep {
    /// A step that the store does not have, for factories of one's own.
    #[must_use]
    pub fn new(version: u32, name: impl Into<String>) -> Self {
        Self {
            version,
            name: name.into(),
            is_applied: false,
            is_new: false,
        }
    }
}
