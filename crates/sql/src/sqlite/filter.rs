//! The conditions of a filter, as text and as values in the same order.

use tokenkeep_core::{Anchor, Text, TokenFilter};

/// The column of an anchor.
pub(super) const fn column(anchor: Anchor) -> &'static str {
    match anchor {
        Anchor::Trust => "trust_id",
        Anchor::User => "user_id",
        Anchor::Consumer => "consumer_id",
        Anchor::Tenant => "tenant_id",
        Anchor::Domain => "domain_id",
    }
}

/// The index that leads to an anchor's active tokens in order of their ids.
pub(super) const fn index(anchor: Anchor) -> &'static str {
    match anchor {
        Anchor::Trust => "tokens_by_trust",
        Anchor::User => "tokens_by_user",
        Anchor::Consumer => "tokens_by_consumer",
        Anchor::Tenant => "tokens_by_tenant",
        Anchor::Domain => "tokens_by_domain",
    }
}

/// A filter whose conditions are known apart: the anchor that leads, and what narrows it.
#[derive(Debug)]
pub(super) struct Conditions<'a> {
    pub(super) anchor: Anchor,
    pub(super) value: &'a Text,
    pub(super) narrowed: Vec<(&'static str, &'a Text)>,
    pub(super) issued_before: Option<i64>,
}

impl<'a> Conditions<'a> {
    /// None without an anchor.
    pub(super) fn of(filter: &'a TokenFilter) -> Option<Self> {
        let mut anchors = Anchor::ALL
            .into_iter()
            .filter_map(|anchor| Some((anchor, anchor.wanted(filter)?)));
        let (anchor, value) = anchors.next()?;
        let mut narrowed: Vec<_> = anchors
            .map(|(anchor, value)| (column(anchor), value))
            .collect();
        narrowed.extend(filter.audit_id.as_ref().map(|id| ("audit_id", id)));
        let chain = filter.audit_chain_id.as_ref();
        narrowed.extend(chain.map(|id| ("audit_chain_id", id)));
        Some(Self {
            anchor,
            value,
            narrowed,
            issued_before: filter.issued_before.map(|at| at.as_micros()),
        })
    }

    /// The source and the conditions, with a `?` for each value in the order of these fields.
    ///
    /// The index is named, since the planner cannot know which anchor selects the fewest.
    pub(super) fn text(&self) -> String {
        let mut text = format!(
            "FROM tokens INDEXED BY {} WHERE {} = ?",
            index(self.anchor),
            column(self.anchor)
        );
        for (column, _) in &self.narrowed {
            text.push_str(" AND ");
            text.push_str(column);
            text.push_str(" = ?");
        }
        if self.issued_before.is_some() {
            text.push_str(" AND issued_at < ?");
        }
        text.push_str(" AND revoked_at IS NULL");
        text
    }
}

/// The conditions of filters for each anchor: alone, and with all else that narrows it.
#[cfg(test)]
pub(super) fn every() -> Vec<String> {
    let value = Text::new("value", "v").ok();
    let mut all = TokenFilter {
        audit_id: value.clone(),
        audit_chain_id: value.clone(),
        issued_before: Some(tokenkeep_core::Timestamp::MAX),
        ..TokenFilter::new()
    };
    let mut filters = Vec::new();
    // From the last to the first, so that each leads while all after it narrow.
    for anchor in Anchor::ALL.into_iter().rev() {
        let mut alone = TokenFilter::new();
        for filter in [&mut alone, &mut all] {
            let field = match anchor {
                Anchor::Trust => &mut filter.trust_id,
                Anchor::User => &mut filter.user_id,
                Anchor::Consumer => &mut filter.consumer_id,
                Anchor::Tenant => &mut filter.tenant_id,
                Anchor::Domain => &mut filter.domain_id,
            };
            field.clone_from(&value);
        }
        filters.extend([alone, all.clone()]);
    }
    let conditions = filters.iter().filter_map(Conditions::of);
    conditions.map(|conditions| conditions.text()).collect()
}
