//! How a sentinel set comes to be.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::{MASTER_NAME, SHORT_PERIOD, SentinelSet};
use crate::engine::{ADMIN, ADMIN_PASSWORD, Redis, SENTINEL_PASSWORD};
use crate::error::{Error, Result};
use crate::processes;
use crate::replication::{self, PAUSE};
use crate::server::{Prepared, Server};
use crate::settings::Settings;

impl SentinelSet {
    /// Starts the servers and the sentinels; returns when all know of each other.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`] where Redis is not installed.
    pub fn redis(settings: &Settings) -> Result<Self> {
        const SENTINEL: Redis = Redis::REDIS.into_sentinel();
        Self::start(&Redis::REDIS, &SENTINEL, settings)
    }

    /// As [`redis`](Self::redis), with Valkey.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`] where Valkey is not installed.
    pub fn valkey(settings: &Settings) -> Result<Self> {
        const SENTINEL: Redis = Redis::VALKEY.into_sentinel();
        Self::start(&Redis::VALKEY, &SENTINEL, settings)
    }

    fn start(
        engine: &'static Redis,
        sentinel: &'static Redis,
        settings: &Settings,
    ) -> Result<Self> {
        let of_nodes = replication::settings(settings);
        let master = Prepared::new(engine, &of_nodes, None)?;
        let (port, tls) = (master.port(), master.tls().cloned());
        let of_replicas = of_nodes.with_option("replicaof", &format!("127.0.0.1 {port}"));
        let of_sentinels = sentinel_settings(settings, port);
        let several = |count, engine, settings| -> Result<Vec<Server>> {
            let prepared = (0..count).map(|_| Prepared::new(engine, settings, tls.as_ref()));
            Prepared::start_all(prepared.collect::<Result<_>>()?)
        };
        // Each looks for those before it once, and then only now and again.
        let mut nodes = vec![master.start()?];
        nodes.append(&mut several(2, engine, &of_replicas)?);
        wait_for_replicas(&nodes)?;
        let sentinels = several(3, sentinel, &of_sentinels)?;
        let password_file = match sentinels.first() {
            Some(first) if settings.guarded_sentinels => Some(write_password(first)?),
            _ => None,
        };
        let set = Self {
            nodes,
            sentinels,
            password_file,
        };
        // They come to know each other by what they publish.
        set.publish_every(SHORT_PERIOD);
        set.wait_ok()?;
        Ok(set)
    }
}

/// For a URL, which does not hold the password itself.
fn write_password(sentinel: &Server) -> Result<PathBuf> {
    let file = sentinel.folder().join("sentinel-password");
    fs::write(&file, SENTINEL_PASSWORD)
        .and_then(|()| fs::set_permissions(&file, Permissions::from_mode(0o600)))
        .map_err(Error::while_doing(file.display()))?;
    Ok(file)
}

/// Waits until all servers but one follow another.
fn wait_for_replicas(nodes: &[Server]) -> Result<()> {
    let nodes: Vec<_> = nodes.iter().collect();
    processes::until_every(PAUSE, "replicas to follow", || {
        replication::is_complete(&nodes).unwrap_or(false)
    })
}

/// The settings of a sentinel of the server at this port.
fn sentinel_settings(settings: &Settings, port: u16) -> Settings {
    let (down_after, failover) = if settings.patient {
        (15_000, 60_000)
    } else {
        (1_000, 2_000)
    };
    let mut of_sentinel = Settings {
        options: Vec::new(),
        ..settings.clone()
    };
    let name = MASTER_NAME;
    for option in [
        format!("monitor {name} 127.0.0.1 {port} 2"),
        format!("auth-user {name} {ADMIN}"),
        format!("auth-pass {name} {ADMIN_PASSWORD}"),
        format!("down-after-milliseconds {name} {down_after}"),
        format!("failover-timeout {name} {failover}"),
        format!("parallel-syncs {name} 2"),
        format!("sentinel-user {ADMIN}"),
        format!("sentinel-pass {ADMIN_PASSWORD}"),
    ] {
        of_sentinel = of_sentinel.with_option("sentinel", &option);
    }
    of_sentinel
}
