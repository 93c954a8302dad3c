//! Where a test has its store.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use libtest_mimic::{Completion, Failed, Trial};
use tokenkeep_testkit::{Result, Server, Settings, require, shared};

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
}

/// A store that is not there yet, and a folder to run the program in.
pub(crate) struct Place {
    pub(crate) kind: Kind,
    pub(crate) home: Home,
    pub(crate) url: String,
    /// What the store is called: a schema, a database or a file.
    pub(crate) name: String,
    server: Option<On>,
}

enum On {
    Shared(&'static Server),
    Alone(Box<Server>),
}

/// The test on a store of each kind.
pub(crate) fn on_each(test: &Test) -> Vec<Trial> {
    let kinds = [Kind::Sqlite, Kind::Postgres, Kind::Mysql];
    kinds.map(|kind| trial(kind, test, shared_server)).into()
}

/// The test on a server of each kind.
pub(crate) fn on_each_server(test: &Test) -> Vec<Trial> {
    let kinds = [Kind::Postgres, Kind::Mysql];
    kinds.map(|kind| trial(kind, test, shared_server)).into()
}

/// The test on a server of each kind that is its own and speaks TLS.
pub(crate) fn on_each_server_alone(test: &Test) -> Vec<Trial> {
    let kinds = [Kind::Postgres, Kind::Mysql];
    kinds.map(|kind| trial(kind, test, own_server)).into()
}

/// The test on a store of each kind that has its server for itself.
pub(crate) fn on_each_alone(test: &Test) -> Vec<Trial> {
    let kinds = [Kind::Sqlite, Kind::Postgres, Kind::Mysql];
    kinds.map(|kind| trial(kind, test, own_server)).into()
}

fn trial(kind: Kind, test: &Test, server: fn(Kind) -> Option<Result<On>>) -> Trial {
    let (name, run) = *test;
    let name = format!("{kind:?}::{name}").to_lowercase();
    Trial::ignorable_test(name, move || -> std::result::Result<Completion, Failed> {
        let server = match server(kind).map(require) {
            None => None,
            Some(Ok(server)) => Some(server),
            Some(Err(reason)) => return Ok(Completion::ignored_with(reason)),
        };
        run(&Place::new(kind, server));
        Ok(Completion::Completed)
    })
}

fn shared_server(kind: Kind) -> Option<Result<On>> {
    match kind {
        Kind::Sqlite => None,
        Kind::Postgres => Some(shared::postgres().map(On::Shared)),
        Kind::Mysql => Some(shared::mariadb().map(On::Shared)),
    }
}

fn own_server(kind: Kind) -> Option<Result<On>> {
    let settings = Settings::new().with_tls();
    let started = match kind {
        Kind::Sqlite => return None,
        Kind::Postgres => Server::postgres(&settings),
        Kind::Mysql => mariadb_with_triggers(settings),
    };
    Some(started.map(|server| On::Alone(Box::new(server))))
}

/// The suite has tables refuse writes by triggers, which take this besides what a store needs.
fn mariadb_with_triggers(settings: Settings) -> Result<Server> {
    let settings = settings.with_option("log_bin_trust_function_creators", "1");
    let server = Server::mariadb(&settings)?;
    server.sql(&format!("GRANT TRIGGER ON *.* TO '{}'@'%'", server.user()))?;
    Ok(server)
}

impl Place {
    fn new(kind: Kind, server: Option<On>) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = match &server {
            None => "store.db".to_owned(),
            Some(_) => format!("place_{number}"),
        };
        let url = match &server {
            None => format!("sqlite:{name}"),
            Some(server) => server.get().url(&name),
        };
        let home = Home::new().with_store(&url);
        Self {
            kind,
            home,
            url,
            name,
            server,
        }
    }

    /// The server, where there is one.
    pub(crate) fn server(&self) -> &Server {
        self.server.as_ref().unwrap().get()
    }

    /// What namespaces of this program there are, on a server that is the test's own.
    pub(crate) fn namespaces(&self) -> Vec<String> {
        let named = match self.kind {
            Kind::Sqlite => {
                let entries = std::fs::read_dir(self.home.path()).unwrap();
                let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name();
                return entries
                    .map(|entry| name(entry).into_string().unwrap())
                    .collect();
            }
            Kind::Postgres => {
                "SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema|public)'"
            }
            Kind::Mysql => {
                "SELECT schema_name FROM information_schema.schemata WHERE schema_name NOT IN \
                 ('mysql', 'sys', 'information_schema', 'performance_schema', 'tokenkeep', 'test')"
            }
        };
        let listed = self.server().sql(named).unwrap();
        listed.lines().map(|line| line.trim().to_owned()).collect()
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
        let password = self.server.as_ref().map(|server| server.get().password());
        for secret in password.into_iter().chain([WRONG]) {
            let shown = answer.out.contains(secret) || answer.err.contains(secret);
            assert!(!shown, "a password is shown: {answer:?}");
        }
        answer
    }
}

impl On {
    fn get(&self) -> &Server {
        match self {
            Self::Shared(server) => server,
            Self::Alone(server) => server,
        }
    }
}
