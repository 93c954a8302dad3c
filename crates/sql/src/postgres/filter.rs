//! The statements of a filter: only the conditions that are given stand in them.
//!
//! The first anchor given is the one whose index is used (R8). All other conditions are written so
//! that no index fits them: `(a = b) IS TRUE`. Else the statistics of the day would choose.

use sqlx::Arguments;
use sqlx::SqlStr;
use sqlx::postgres::PgArguments;
use tokenkeep_backend::{Failure, Outcome};
use tokenkeep_core::{Anchor, Timestamp, TokenFilter, TokenId};

use super::statements::{Statements, places, revoke_targets, text};
use crate::dialect::Place;
use crate::row::RECORD;

/// A statement with its values.
pub(super) struct Bound {
    pub(super) text: SqlStr,
    pub(super) values: PgArguments,
}

/// Active records that match, in order of their ids.
pub(super) fn list(
    statements: &Statements,
    filter: &TokenFilter,
    after: Option<TokenId>,
    limit: usize,
    now: Timestamp,
) -> Outcome<Bound> {
    let mut conditions = Conditions::new(filter, after, now)?;
    let tokens = &statements.tokens;
    let page = conditions.page(limit)?;
    Ok(Bound {
        text: text(format!("SELECT {RECORD} FROM {tokens} {page}")),
        values: conditions.values,
    })
}

/// Looks at a page of them, then revokes those of it that still match once they are locked.
pub(super) fn revoke_page(
    statements: &Statements,
    filter: &TokenFilter,
    after: Option<TokenId>,
    limit: usize,
    now: Timestamp,
) -> Outcome<Bound> {
    let mut conditions = Conditions::new(filter, after, now)?;
    let tokens = &statements.tokens;
    let (page, again) = (conditions.page(limit)?, conditions.again());
    let target = format!(
        "SELECT id FROM {tokens} WHERE id = ANY(ARRAY(SELECT id FROM page)) AND {again} \
         ORDER BY id FOR UPDATE"
    );
    let places = places(&statements.store);
    let revoke = revoke_targets(tokens, NOW);
    let sql = format!(
        "WITH page AS MATERIALIZED (SELECT id FROM {tokens} {page}), target AS ({target}), \
         {places}, revoked AS ({revoke}) \
         SELECT page.id, revoked.id IS NOT NULL FROM page \
         LEFT JOIN revoked ON revoked.id = page.id ORDER BY page.id"
    );
    Ok(Bound {
        text: text(sql),
        values: conditions.values,
    })
}

/// The revocations in a part of the feed: of each the successor, if that is active and matches, else
/// nothing.
pub(super) fn successors(
    statements: &Statements,
    filter: &TokenFilter,
    after: Place,
    last: Place,
    now: Timestamp,
) -> Outcome<Bound> {
    let mut conditions = Conditions::new(filter, None, now)?;
    let tokens = &statements.tokens;
    let again = conditions.again();
    let after = conditions.bind(after.as_column())?;
    let last = conditions.bind(last.as_column())?;
    let sql = format!(
        "SELECT id FROM (SELECT successor FROM {tokens} \
         WHERE revocation > {after} AND revocation <= {last}) AS part \
         LEFT JOIN {tokens} AS token ON id = part.successor AND {again}"
    );
    Ok(Bound {
        text: text(sql),
        values: conditions.values,
    })
}

/// Revokes one token if it matches once it is locked; gives its successor, if it was rotated before,
/// and how many were revoked.
pub(super) fn revoke_matching(
    statements: &Statements,
    filter: &TokenFilter,
    id: &TokenId,
    now: Timestamp,
) -> Outcome<Bound> {
    let mut conditions = Conditions::new(filter, None, now)?;
    let (tokens, store) = (&statements.tokens, &statements.store);
    let again = conditions.again();
    let id = conditions.bind(id.as_bytes().as_slice())?;
    let sql = format!(
        "WITH target AS (\
         SELECT successor, {again} AS matches FROM {tokens} WHERE id = {id} FOR UPDATE), \
         place AS (\
         UPDATE {store} AS store SET revocations = store.revocations + 1 FROM target \
         WHERE target.matches RETURNING store.revocations AS taken), \
         revoked AS (\
         UPDATE {tokens} AS token SET revoked_at = {NOW}, revocation = place.taken \
         FROM place WHERE token.id = {id} RETURNING token.id) \
         SELECT successor, (SELECT count(*) FROM revoked) FROM target"
    );
    Ok(Bound {
        text: text(sql),
        values: conditions.values,
    })
}

const NOW: &str = "$1";

struct Conditions {
    values: PgArguments,
    /// What the index on the first anchor is used for.
    leading: Vec<String>,
    /// That of the ids, written so that only this index has it: the index on the ids alone would have to
    /// be read up to the last match.
    order: String,
    /// What narrows it.
    narrowing: Vec<String>,
}

impl Conditions {
    fn new(filter: &TokenFilter, after: Option<TokenId>, now: Timestamp) -> Outcome<Self> {
        let mut values = PgArguments::default();
        add(&mut values, now.as_micros())?;
        let mut conditions = Self {
            values,
            leading: Vec::new(),
            order: String::new(),
            narrowing: vec![format!("expires_at > {NOW}")],
        };
        conditions.add_anchors(filter)?;
        if let Some(after) = after {
            let place = conditions.bind(after.as_bytes().as_slice())?;
            conditions.leading.push(format!("id > {place}"));
        }
        conditions.add_others(filter)?;
        Ok(conditions)
    }

    fn add_anchors(&mut self, filter: &TokenFilter) -> Outcome<()> {
        for anchor in Anchor::ALL {
            if let Some(wanted) = anchor.wanted(filter) {
                let place = self.bind(wanted.as_str())?;
                let column = column(anchor);
                if self.leading.is_empty() {
                    self.leading.push(format!("{column} = ANY(ARRAY[{place}])"));
                    self.order = format!("{column}, id");
                } else {
                    self.narrowing.push(format!("{column} = {place}"));
                }
            }
        }
        Ok(())
    }

    fn add_others(&mut self, filter: &TokenFilter) -> Outcome<()> {
        let texts = [
            ("audit_id", &filter.audit_id),
            ("audit_chain_id", &filter.audit_chain_id),
        ];
        for (column, wanted) in texts {
            if let Some(wanted) = wanted {
                let place = self.bind(wanted.as_str())?;
                self.narrowing.push(format!("{column} = {place}"));
            }
        }
        if let Some(instant) = filter.issued_before {
            let place = self.bind(instant.as_micros())?;
            self.narrowing.push(format!("issued_at < {place}"));
        }
        Ok(())
    }

    fn bind<'q, T>(&mut self, value: T) -> Outcome<String>
    where
        T: sqlx::Encode<'q, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        add(&mut self.values, value)?;
        Ok(format!("${}", self.values.len()))
    }

    /// The next page in order of the ids.
    fn page(&mut self, limit: usize) -> Outcome<String> {
        let limit = self.bind(i64::try_from(limit).unwrap_or(i64::MAX))?;
        let leading = self.leading.join(" AND ");
        let narrowing = unindexed(&self.narrowing);
        let order = &self.order;
        Ok(format!(
            "WHERE {leading} AND revoked_at IS NULL AND {narrowing} ORDER BY {order} LIMIT {limit}"
        ))
    }

    /// The same conditions for rows that are looked up by id.
    fn again(&self) -> String {
        let leading = unindexed(&self.leading);
        let narrowing = unindexed(&self.narrowing);
        format!("(revoked_at IS NULL) IS TRUE AND {leading} AND {narrowing}")
    }
}

fn unindexed(conditions: &[String]) -> String {
    let conditions: Vec<_> = conditions
        .iter()
        .map(|condition| format!("({condition}) IS TRUE"))
        .collect();
    conditions.join(" AND ")
}

fn column(anchor: Anchor) -> &'static str {
    match anchor {
        Anchor::Trust => "trust_id",
        Anchor::User => "user_id",
        Anchor::Consumer => "consumer_id",
        Anchor::Tenant => "tenant_id",
        Anchor::Domain => "domain_id",
    }
}

fn add<'q, T>(values: &mut PgArguments, value: T) -> Outcome<()>
where
    T: sqlx::Encode<'q, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    // The cause may show the value.
    values.add(value).map_err(|_| {
        Failure::refused(
            tokenkeep_core::ErrorKind::Internal,
            "a value cannot be encoded",
        )
    })
}
