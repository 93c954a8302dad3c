//! The driver's statements, and the plans that the server wrote down for them.

use tokenkeep_testkit::Server;

/// A statement of the driver, told by its text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Check,
    FetchOne,
    FetchMany,
    InsertOne,
    InsertMany,
    RevokeOne,
    RevokeMany,
    LastPlace,
    Successors,
    RevokeMatching,
    RevokePage { index: &'static str, is_first: bool },
    List { index: &'static str, is_first: bool },
    Revoked,
    Replace,
    Rotate,
    Flush,
    HasExpired,
}

const ANCHORS: [(&str, &str); 5] = [
    ("trust_id = ANY(ARRAY[$", "tokens_trust"),
    ("user_id = ANY(ARRAY[$", "tokens_user"),
    ("consumer_id = ANY(ARRAY[$", "tokens_consumer"),
    ("tenant_id = ANY(ARRAY[$", "tokens_tenant"),
    ("domain_id = ANY(ARRAY[$", "tokens_domain"),
];

impl Kind {
    /// All that the driver can send.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let single = [
            Self::Check,
            Self::FetchOne,
            Self::FetchMany,
            Self::InsertOne,
            Self::InsertMany,
            Self::RevokeOne,
            Self::RevokeMany,
            Self::LastPlace,
            Self::Successors,
            Self::RevokeMatching,
            Self::Revoked,
            Self::Replace,
            Self::Rotate,
            Self::Flush,
            Self::HasExpired,
        ];
        let with_filter = ANCHORS.into_iter().flat_map(|(_, index)| {
            [true, false].into_iter().flat_map(move |is_first| {
                let list = Self::List { index, is_first };
                // Of these the tests have more tokens than one step looks at.
                let more = ["tokens_user", "tokens_tenant", "tokens_domain"];
                let has_more = is_first || more.contains(&index);
                let page = has_more.then_some(Self::RevokePage { index, is_first });
                [Some(list), page].into_iter().flatten()
            })
        });
        single.into_iter().chain(with_filter)
    }

    fn of(text: &str) -> Self {
        let starts: &[(&str, Self)] = &[
            ("SELECT id, pg_catalog.", Self::Check),
            (
                "INSERT INTO \"plans\".tokens AS stored (id, audit_id, audit_chain_id, user_id, tenant_id, domain_id, trust_id, consumer_id, issued_at, expires_at, data, version) VALUES",
                Self::InsertOne,
            ),
            (
                "INSERT INTO \"plans\".tokens AS stored (id, audit_id, audit_chain_id, user_id, tenant_id, domain_id, trust_id, consumer_id, issued_at, expires_at, data, version) SELECT",
                Self::InsertMany,
            ),
            (
                "WITH target AS (SELECT id FROM \"plans\".tokens WHERE id = $1",
                Self::RevokeOne,
            ),
            ("WITH target AS (SELECT successor, ", Self::RevokeMatching),
            ("WITH target AS", Self::RevokeMany),
            ("SELECT revocations", Self::LastPlace),
            ("SELECT id FROM (SELECT successor", Self::Successors),
            ("SELECT revocation, ", Self::Revoked),
            ("UPDATE \"plans\".tokens SET", Self::Replace),
            ("WITH old AS", Self::Rotate),
            ("DELETE FROM", Self::Flush),
            (
                "SELECT id FROM \"plans\".tokens WHERE expires_at",
                Self::HasExpired,
            ),
        ];
        if let Some((_, kind)) = starts.iter().find(|(start, _)| text.starts_with(start)) {
            return kind.clone();
        }
        if text.ends_with("WHERE id = $1") {
            return Self::FetchOne;
        }
        if text.ends_with("WHERE id = ANY($1)") {
            return Self::FetchMany;
        }
        let leading = text.split("WHERE ").nth(1).unwrap();
        let anchor = ANCHORS.iter().find(|(start, _)| leading.starts_with(start));
        let Some((_, index)) = anchor else {
            panic!("a statement of an unknown kind: {text}");
        };
        let is_first = !leading.contains(" AND id > $");
        match text.starts_with("WITH page AS") {
            true => Self::RevokePage { index, is_first },
            false => Self::List { index, is_first },
        }
    }
}

/// What the server wrote of one statement.
pub(crate) struct Plan {
    text: String,
    lines: Vec<String>,
}

impl Plan {
    pub(crate) fn kind(&self) -> Kind {
        Kind::of(&self.text)
    }

    fn has(&self, part: &str) -> bool {
        self.lines.iter().any(|line| line.contains(part))
    }

    /// The lines of a CTE, up to the next part of the same depth.
    fn part(&self, name: &str) -> Vec<&String> {
        let depth = |line: &String| line.len() - line.trim_start().len();
        let mut lines = self.lines.iter();
        let start = lines
            .find(|line| line.trim() == format!("CTE {name}"))
            .unwrap();
        let inner = lines.take_while(|line| depth(line) > depth(start));
        inner.collect()
    }

    /// Tells whether no index of the tokens is read from one end to the other.
    fn searches_each_index(&self) -> bool {
        let mut lines = self.lines.iter().peekable();
        while let Some(line) = lines.next() {
            let is_scan = line.contains("Index") && line.contains(" on tokens");
            if is_scan && !lines.peek().is_some_and(|next| next.contains("Index Cond")) {
                return false;
            }
        }
        true
    }

    /// Fails unless the plan is the one meant for statements of its kind.
    pub(crate) fn check(&self) {
        let shown = format!("{}\n{}", self.text, self.lines.join("\n"));
        for scan in [
            "Seq Scan on tokens",
            "Bitmap",
            "Index Scan using tokens_expiry on tokens  (cost",
        ] {
            let is_wanted = matches!(self.kind(), Kind::Flush | Kind::HasExpired);
            let is_index_of_expiry = scan.contains("expiry");
            assert!(
                !self.has(scan) || (is_wanted && is_index_of_expiry),
                "{shown}"
            );
        }
        assert!(self.searches_each_index(), "{shown}");
        match self.kind() {
            Kind::Check | Kind::LastPlace | Kind::InsertOne | Kind::InsertMany => {}
            Kind::FetchOne
            | Kind::FetchMany
            | Kind::RevokeOne
            | Kind::RevokeMany
            | Kind::RevokeMatching
            | Kind::Replace
            | Kind::Rotate => {
                assert!(self.has("using tokens_pkey"), "{shown}");
            }
            Kind::List { index, .. } => {
                assert!(self.has(&format!("using {index} on")), "{shown}");
                assert!(!self.has("Sort"), "{shown}");
            }
            Kind::RevokePage { index, .. } => {
                let page = self.part("page");
                let has = |part: &str| page.iter().any(|line| line.contains(part));
                assert!(has(&format!("using {index} on")) && !has("Sort"), "{shown}");
                assert!(self.has("using tokens_pkey"), "{shown}");
            }
            Kind::Successors => {
                assert!(
                    self.has("using tokens_feed") && self.has("using tokens_pkey"),
                    "{shown}"
                );
                assert!(!self.has("Sort"), "{shown}");
            }
            Kind::Revoked => {
                assert!(self.has("using tokens_feed"), "{shown}");
                assert!(!self.has("Sort"), "{shown}");
            }
            Kind::Flush => {
                assert!(
                    self.has("using tokens_expiry") && self.has("using tokens_pkey"),
                    "{shown}"
                );
                assert!(!self.has("Sort"), "{shown}");
            }
            Kind::HasExpired => {
                assert!(
                    self.has("using tokens_expiry") && !self.has("Sort"),
                    "{shown}"
                );
            }
        }
    }
}

/// The plans of the statements on this test's tables.
pub(crate) fn plans(server: &Server) -> Vec<Plan> {
    let log = std::fs::read_to_string(server.folder().join("log")).unwrap();
    let mut plans: Vec<Plan> = Vec::new();
    for line in log.lines() {
        let Some(inner) = line.strip_prefix('\t') else {
            continue;
        };
        match (inner.strip_prefix("Query Text: "), plans.last_mut()) {
            (Some(text), _) => plans.push(Plan {
                text: text.to_owned(),
                lines: Vec::new(),
            }),
            (None, Some(plan)) => plan.lines.push(inner.to_owned()),
            (None, None) => {}
        }
    }
    // The rows of this test were put there by other statements than the driver's.
    let is_ours = |plan: &Plan| {
        plan.text.contains("\"plans\".tokens") || plan.text.contains("\"plans\".store")
    };
    plans.retain(is_ours);
    plans
}
