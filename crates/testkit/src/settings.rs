//! What a server is started with.

/// What a server is started with. Default: as durable as in production, without TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    pub(crate) relaxed: bool,
    pub(crate) tls: bool,
    pub(crate) patient: bool,
    pub(crate) guarded_sentinels: bool,
    pub(crate) options: Vec<(String, String)>,
}

impl Settings {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Trades durability for speed: what is acknowledged can be lost with the server.
    #[must_use]
    pub const fn relaxed(mut self) -> Self {
        self.relaxed = true;
        self
    }

    /// Lets the server speak TLS with a certificate for `localhost` and 127.0.0.1; where to find it
    /// says [`Server::tls`](crate::Server::tls). Redis speaks nothing else then; the others take
    /// plain connections too.
    #[must_use]
    pub const fn with_tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// Lets the nodes of a [`SentinelSet`](crate::SentinelSet) or a [`Cluster`](crate::Cluster) wait
    /// 15 seconds before they take another for lost, not one: for tests that lose none, on machines
    /// that are busy.
    #[must_use]
    pub const fn patient(mut self) -> Self {
        self.patient = true;
        self
    }

    /// Makes the sentinels of a [`SentinelSet`](crate::SentinelSet) ask for an account, which is not
    /// that of the servers; else they ask for none.
    #[must_use]
    pub const fn with_guarded_sentinels(mut self) -> Self {
        self.guarded_sentinels = true;
        self
    }

    /// Sets one of the server's own settings, by the name that it has in the server's
    /// configuration file. Goes before what this package sets. Sentinels take none of these.
    #[must_use]
    pub fn with_option(mut self, name: &str, value: &str) -> Self {
        self.options.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets it unless it is set.
    pub(crate) fn or_option(self, name: &str, value: &str) -> Self {
        if self.options.iter().any(|(other, _)| other == name) {
            return self;
        }
        self.with_option(name, value)
    }
}
