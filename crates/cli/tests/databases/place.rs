//! Where a test has its store.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use libtest_mimic::{Completion, Failed, Trial};
use tokenkeep_testkit::{Server, require};

use crate::servers::Servers;
use crate::support::{Answer, Home};

/// A password that no account has.
pub(crate) const WRONG: &str = "Zq7-wrong";

/// A test and its name.
pub(crate) type Test = (&'static str, fn(&Place));

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
    Mysql,
    Redis,
    Sentinel,
    Cluster,
}

use Kind::{Cluster, Mysql, Postgres, Redis, Sentinel, Sqlite};

pub(crate) const ALL: &[Kind] = &[Sqlite, Postgres, Mysql, Redis, Sentinel, Cluster];
/// With a schema.
pub(crate) const SQL: &[Kind] = &[Sqlite, Postgres, Mysql];
pub(crate) const SQL_SERVERS: &[Kind] = &[Postgres, Mysql];
/// One server.
pub(crate) const SERVERS: &[Kind] = &[Postgres, Mysql, Redis];
pub(crate) const REDIS: &[Kind] = &[Redis, Sentinel, Cluster];

/// A store that is not there yet, and a folder to run the program in.
pub(crate) struct Place {
    pub(crate) kind: Kind,
    pub(crate) home: Home,
    pub(crate) url: String,
    /// What the store is called: a namespace or a file.
    pub(crate) name: String,
    pub(crate) servers: Servers,
}

/// The tests on a store of each of these kinds.
pub(crate) fn on(kinds: &[Kind], tests: &[Test]) -> Vec<Trial> {
    trials(kinds, tests, Servers::shared)
}

/// The tests on a store of each of these kinds that has its servers for itself; one server of its own
/// speaks TLS.
pub(crate) fn on_alone(kinds: &[Kind], tests: &[Test]) -> Vec<Trial> {
    trials(kinds, tests, Servers::alone)
}

type Start = fn(Kind) -> tokenkeep_testkit::Result<Servers>;

fn trials(kinds: &[Kind], tests: &[Test], start: Start) -> Vec<Trial> {
    let on_each = |test| kinds.iter().map(move |kind| trial(*kind, test, start));
    tests.iter().flat_map(on_each).collect()
}

fn trial(kind: Kind, test: &Test, start: Start) -> Trial {
    let (name, run) = *test;
    let name = format!("{kind:?}::{name}").to_lowercase();
    Trial::ignorable_test(name, move || -> Result<Completion, Failed> {
        match require(start(kind)) {
            Ok(servers) => run(&Place::new(kind, servers)),
            Err(reason) => return Ok(Completion::ignored_with(reason)),
        }
        Ok(Completion::Completed)
    })
}

impl Place {
    fn new(kind: Kind, servers: Servers) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = match kind {
            Sqlite => "store.db".to_owned(),
            _ => format!("place_{number}"),
        };
        let url = servers.url(&name);
        let home = Home::new().with_store(&url);
        Self {
            kind,
            home,
            url,
            name,
            servers,
        }
    }

    /// The server, where there is one.
    pub(crate) fn server(&self) -> &Server {
        self.servers.server()
    }

    /// Tells whether the store is on Redis.
    pub(crate) fn is_redis(&self) -> bool {
        REDIS.contains(&self.kind)
    }

    /// The URL of the store for this account at this address, in a text as in a URL.
    pub(crate) fn url_of(&self, account: &str, address: &str) -> String {
        let (scheme, _) = self.url.split_once(':').unwrap();
        let behind = match self.kind {
            Sqlite | Postgres | Mysql => "/tokenkeep",
            Redis | Cluster => "/0",
            Sentinel => "/token-store/0",
        };
        let name = &self.name;
        format!("{scheme}://{account}@{address}{behind}?namespace={name}")
    }

    /// What there is of this program, on servers that are the test's own.
    pub(crate) fn namespaces(&self) -> Vec<String> {
        if self.kind == Sqlite {
            let entries = std::fs::read_dir(self.home.path()).unwrap();
            let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name();
            return entries
                .map(|entry| name(entry).into_string().unwrap())
                .collect();
        }
        self.servers.namespaces()
    }

    /// Runs the program on the store.
    pub(crate) fn run(&self, args: &[&str]) -> Answer {
        self.keeps_secrets(self.home.run(args))
    }

    /// Runs it on another store.
    pub(crate) fn run_on(&self, url: &str, args: &[&str]) -> Answer {
        self.run_among(&[], url, args)
    }

    /// As [`run_on`](Self::run_on), with these variables in the environment.
    pub(crate) fn run_among(
        &self,
        variables: &[(&str, &Path)],
        url: &str,
        args: &[&str],
    ) -> Answer {
        let mut command = self.home.command(args);
        command.env("TOKENKEEP_STORE__URL", url);
        command.envs(variables.iter().copied());
        self.keeps_secrets(Answer::of(command))
    }

    fn keeps_secrets(&self, answer: Answer) -> Answer {
        for secret in self.servers.password().into_iter().chain([WRONG]) {
            let shown = answer.out.contains(secret) || answer.err.contains(secret);
            assert!(!shown, "a password is shown: {answer:?}");
        }
        answer
    }
}
