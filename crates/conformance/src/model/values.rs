//! What the numbers and names of a call stand for.

use std::time::Duration;

use tokenkeep_core::{Timestamp, TokenFilter, TokenId, TokenRecord};

use super::calls::{Filter, Offset, Token};
use crate::check::Check;

pub(super) fn later(now: Timestamp, offset: Offset) -> Timestamp {
    let span = Duration::from_micros(offset.unsigned_abs());
    if offset < 0 {
        now.saturating_sub(span)
    } else {
        now.saturating_add(span)
    }
}

pub(super) fn record(token: &Token, ids: &[TokenId], now: Timestamp) -> Check<TokenRecord> {
    let Token {
        id,
        user,
        tenant,
        domain,
        trust,
        consumer,
        audit,
        chain,
        issued,
        expires,
        data,
    } = token;
    let (issued, expires) = (later(now, *issued), later(now, *expires));
    let mut record = TokenRecord::new(ids[*id], audit, user, issued, expires)?
        .with_audit_chain(chain)?
        .with_data(vec![*data; usize::from(*data)]);
    if let Some(tenant) = tenant {
        record = record.with_tenant(tenant)?;
    }
    if let Some(domain) = domain {
        record = record.with_domain(domain)?;
    }
    if let Some(trust) = trust {
        record = record.with_trust(trust)?;
    }
    if let Some(consumer) = consumer {
        record = record.with_consumer(consumer)?;
    }
    Ok(record)
}

pub(super) fn filter(wanted: &Filter, now: Timestamp) -> Check<TokenFilter> {
    let Filter {
        user,
        tenant,
        domain,
        trust,
        consumer,
        audit,
        chain,
        issued_before,
    } = wanted;
    let mut filter = TokenFilter::new();
    if let Some(user) = user {
        filter = filter.with_user(user)?;
    }
    if let Some(tenant) = tenant {
        filter = filter.with_tenant(tenant)?;
    }
    if let Some(domain) = domain {
        filter = filter.with_domain(domain)?;
    }
    if let Some(trust) = trust {
        filter = filter.with_trust(trust)?;
    }
    if let Some(consumer) = consumer {
        filter = filter.with_consumer(consumer)?;
    }
    if let Some(audit) = audit {
        filter = filter.with_audit_id(audit)?;
    }
    if let Some(chain) = chain {
        filter = filter.with_audit_chain(chain)?;
    }
    if let Some(offset) = issued_before {
        filter = filter.issued_before(later(now, *offset));
    }
    Ok(filter)
}
