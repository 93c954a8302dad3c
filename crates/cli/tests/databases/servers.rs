//! The servers under a test.

use tokenkeep_testkit::{Cluster, Result, SentinelSet, Server, Settings, shared};

use crate::place::Kind;

/// What a store of one kind needs.
pub(crate) enum Servers {
    None,
    Shared(&'static Server),
    Alone(Box<Server>),
    SharedSentinel(&'static SentinelSet),
    Sentinel(Box<SentinelSet>),
    SharedCluster(&'static Cluster),
    Cluster(Box<Cluster>),
}

/// How many keys each namespace of a Redis server has.
const COUNT_KEYS: &str = "local counts, lines = {}, {}
    for _, key in ipairs(redis.call('KEYS', '*')) do
        local name = string.match(key, '^[^:]*')
        counts[name] = (counts[name] or 0) + 1
    end
    for name, count in pairs(counts) do
        lines[#lines + 1] = name .. ': ' .. count
    end
    return lines";

impl Servers {
    /// Those of the process.
    pub(crate) fn shared(kind: Kind) -> Result<Self> {
        Ok(match kind {
            Kind::Sqlite => Self::None,
            Kind::Postgres => Self::Shared(shared::postgres()?),
            Kind::Mysql => Self::Shared(shared::mariadb()?),
            Kind::Redis => Self::Shared(shared::redis()?),
            Kind::Sentinel => Self::SharedSentinel(shared::sentinel()?),
            Kind::Cluster => Self::SharedCluster(shared::cluster()?),
        })
    }

    /// New ones; databases speak TLS as well, which Redis would do alone.
    pub(crate) fn alone(kind: Kind) -> Result<Self> {
        let settings = Settings::new();
        Ok(match kind {
            Kind::Sqlite => Self::None,
            Kind::Postgres => Self::Alone(Box::new(Server::postgres(&settings.with_tls())?)),
            Kind::Mysql => Self::Alone(Box::new(mariadb_with_triggers(settings.with_tls())?)),
            Kind::Redis => Self::Alone(Box::new(Server::redis(&settings)?)),
            Kind::Sentinel => Self::Sentinel(Box::new(SentinelSet::redis(&settings.patient())?)),
            Kind::Cluster => Self::Cluster(Box::new(Cluster::redis(3, 1, &settings.patient())?)),
        })
    }

    /// The store's URL.
    pub(crate) fn url(&self, name: &str) -> String {
        match self {
            Self::None => format!("sqlite:{name}"),
            Self::Shared(server) => server.url(name),
            Self::Alone(server) => server.url(name),
            Self::SharedSentinel(set) => set.url(name),
            Self::Sentinel(set) => set.url(name),
            Self::SharedCluster(cluster) => cluster.url(name),
            Self::Cluster(cluster) => cluster.url(name),
        }
    }

    /// The only server.
    pub(crate) fn server(&self) -> &Server {
        match self.all().as_slice() {
            [server] => server,
            all => panic!("there are {} servers", all.len()),
        }
    }

    /// Every server that may hold tokens.
    pub(crate) fn all(&self) -> Vec<&Server> {
        match self {
            Self::None => Vec::new(),
            Self::Shared(server) => vec![server],
            Self::Alone(server) => vec![server],
            Self::SharedSentinel(set) => set.nodes().iter().collect(),
            Self::Sentinel(set) => set.nodes().iter().collect(),
            Self::SharedCluster(cluster) => cluster.nodes().iter().collect(),
            Self::Cluster(cluster) => cluster.nodes().iter().collect(),
        }
    }

    /// The password of their account.
    pub(crate) fn password(&self) -> Option<&'static str> {
        self.all().first().map(|server| server.password())
    }

    /// The addresses at which a URL names them, as in a URL.
    pub(crate) fn addresses(&self) -> String {
        let servers: Vec<_> = match self {
            Self::SharedSentinel(set) => set.sentinels().iter().collect(),
            Self::Sentinel(set) => set.sentinels().iter().collect(),
            _ => self.all(),
        };
        let addresses: Vec<_> = servers.into_iter().map(Server::address).collect();
        addresses.join(",")
    }

    /// What namespaces of this program there are; on Redis with the number of their keys.
    pub(crate) fn namespaces(&self) -> Vec<String> {
        let lines = |text: String| -> Vec<_> {
            let lines = text.lines().map(|line| line.trim().to_owned());
            lines.filter(|line| !line.is_empty()).collect()
        };
        let mut found = Vec::new();
        for server in self.all() {
            let scheme = server.url("any");
            let listed = match scheme.split(':').next() {
                Some("postgres") => server.sql(
                    "SELECT nspname FROM pg_namespace \
                     WHERE nspname !~ '^(pg_|information_schema|public)'",
                ),
                Some("mysql") => server.sql(
                    "SELECT schema_name FROM information_schema.schemata WHERE schema_name NOT IN \
                     ('mysql', 'sys', 'information_schema', 'performance_schema', 'tokenkeep', 'test')",
                ),
                // A replica's keys are those of its master, a moment later.
                _ if server.command(&["ROLE"]).unwrap().starts_with("slave") => continue,
                _ => server.command(&["EVAL", COUNT_KEYS, "0"]),
            };
            found.extend(lines(listed.unwrap()));
        }
        found.sort();
        found
    }
}

/// The suite has tables refuse writes by triggers, which take this besides what a store needs.
fn mariadb_with_triggers(settings: Settings) -> Result<Server> {
    let settings = settings.with_option("log_bin_trust_function_creators", "1");
    let server = Server::mariadb(&settings)?;
    server.sql(&format!("GRANT TRIGGER ON *.* TO '{}'@'%'", server.user()))?;
    Ok(server)
}
