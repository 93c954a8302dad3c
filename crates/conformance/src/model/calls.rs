//! Which calls are made, with values from pools so small that they meet again and again.

use proptest::prelude::*;
use proptest::{collection, option, sample};

/// Ids are numbers below this.
pub(super) const IDS: usize = 5;

/// Names of users, tenants and all else: unlike, but for drivers that fold or trim.
pub(super) const NAMES: [&str; 4] = ["ada", "Ada", "ada ", "ad"];

/// Audit ids and chains, which tokens share.
const AUDIT: [&str; 3] = ["audit", "audit%", "AUDIT"];

/// A span from now in microseconds: to the past, none, to the future.
pub(super) type Offset = i64;

/// An hour: as long as nothing in a row of calls lasts, but for the longest advance.
pub(super) const HOUR: Offset = 3_600_000_000;

/// A call, or a step of time.
#[derive(Clone, Debug)]
pub(super) enum Call {
    Create(Token),
    CreateMany(Vec<Token>),
    Get(usize),
    Delete(usize),
    DeleteTokens(Filter),
    /// A whole listing, in pages of this length.
    List(Filter, u32),
    /// The next page of a listing that other calls come between; begins one if none is under way.
    NextPage(Filter, u32),
    /// What is new in the feed since the last time, in pages of this length.
    Follow(u32),
    Replace {
        id: usize,
        version: u64,
        expires: Offset,
        data: u8,
    },
    Rotate(usize, Token),
    /// Flushes in batches of this length until nothing is left.
    Flush(u32),
    Advance(Offset),
}

/// The rules that the look at everything after the last call checks.
pub(super) const LOOKS: &str = "R1, R5, R9, R10, R13";

impl Call {
    /// The rules that the call's answer goes by.
    pub(super) const fn rules(&self) -> &'static str {
        match self {
            Self::Create(_) => "R1, R2, R7",
            Self::CreateMany(_) => "R1, R2, R7, R14",
            Self::Get(_) => "R1, R5",
            Self::Delete(_) => "R1, R6",
            Self::DeleteTokens(_) => "R1, R8",
            Self::List(..) | Self::NextPage(..) => "R1, R9",
            Self::Follow(_) => "R1, R10",
            Self::Replace { .. } => "R1, R7, R11",
            Self::Rotate(..) => "R1, R12",
            Self::Flush(_) | Self::Advance(_) => "R13",
        }
    }
}

/// A record to be made.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) id: usize,
    pub(super) user: &'static str,
    pub(super) tenant: Option<&'static str>,
    pub(super) domain: Option<&'static str>,
    pub(super) trust: Option<&'static str>,
    pub(super) consumer: Option<&'static str>,
    pub(super) audit: &'static str,
    pub(super) chain: &'static str,
    pub(super) issued: Offset,
    pub(super) expires: Offset,
    pub(super) data: u8,
}

/// A filter to be made, perhaps without an anchor.
#[derive(Clone, Debug)]
pub(super) struct Filter {
    pub(super) user: Option<&'static str>,
    pub(super) tenant: Option<&'static str>,
    pub(super) domain: Option<&'static str>,
    pub(super) trust: Option<&'static str>,
    pub(super) consumer: Option<&'static str>,
    pub(super) audit: Option<&'static str>,
    pub(super) chain: Option<&'static str>,
    pub(super) issued_before: Option<Offset>,
}

/// A row of calls.
pub(super) fn calls() -> impl Strategy<Value = Vec<Call>> {
    collection::vec(call(), 1..60)
}

fn call() -> impl Strategy<Value = Call> {
    let limit = || 1u32..5;
    prop_oneof![
        8 => token().prop_map(Call::Create),
        3 => collection::vec(token(), 0..6).prop_map(Call::CreateMany),
        4 => (0..IDS).prop_map(Call::Get),
        4 => (0..IDS).prop_map(Call::Delete),
        2 => filter().prop_map(Call::DeleteTokens),
        3 => (filter(), limit()).prop_map(|(filter, limit)| Call::List(filter, limit)),
        4 => (filter(), limit()).prop_map(|(filter, limit)| Call::NextPage(filter, limit)),
        4 => limit().prop_map(Call::Follow),
        5 => (0..IDS, version(), expires(), any::<u8>()).prop_map(|(id, version, expires, data)| {
            Call::Replace { id, version, expires, data }
        }),
        5 => (0..IDS, token()).prop_map(|(old, token)| Call::Rotate(old, token)),
        3 => limit().prop_map(Call::Flush),
        4 => sample::select(vec![1, 1, 2, 3, HOUR]).prop_map(Call::Advance),
    ]
}

fn name() -> impl Strategy<Value = &'static str> {
    sample::select(&NAMES[..])
}

fn audit() -> impl Strategy<Value = &'static str> {
    sample::select(&AUDIT[..])
}

/// Mostly an hour away; else now, or a microsecond or two to either side.
fn expires() -> impl Strategy<Value = Offset> {
    sample::select(vec![HOUR, HOUR, HOUR, HOUR, -1, 0, 1, 2, 3])
}

/// Mostly the version that a token has.
fn version() -> impl Strategy<Value = u64> {
    sample::select(vec![1, 1, 1, 2, 2, 3])
}

fn token() -> impl Strategy<Value = Token> {
    let optional = || option::of(name());
    let anchors = (name(), optional(), optional(), optional(), optional());
    let rest = (audit(), audit(), -2i64..=2, expires(), any::<u8>());
    (0..IDS, anchors, rest).prop_map(|(id, anchors, rest)| {
        let (user, tenant, domain, trust, consumer) = anchors;
        let (audit, chain, issued, expires, data) = rest;
        Token {
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
        }
    })
}

fn filter() -> impl Strategy<Value = Filter> {
    let anchor = || option::weighted(0.3, name());
    let anchors = (anchor(), anchor(), anchor(), anchor(), anchor());
    let narrow = || option::weighted(0.15, audit());
    let rest = (narrow(), narrow(), option::weighted(0.2, -1i64..=2));
    (anchors, rest).prop_map(|(anchors, rest)| {
        let (user, tenant, domain, trust, consumer) = anchors;
        let (audit, chain, issued_before) = rest;
        Filter {
            user,
            tenant,
            domain,
            trust,
            consumer,
            audit,
            chain,
            issued_before,
        }
    })
}
