//! What Redis servers say of each other as masters and replicas.

use std::time::Duration;

use crate::error::Result;
use crate::server::Server;
use crate::settings::Settings;

/// How long one server may take to say how it is.
pub(crate) const ASK_BOUND: Duration = Duration::from_secs(2);

/// How long to wait between looks at several servers.
pub(crate) const PAUSE: Duration = Duration::from_millis(10);

/// The settings of servers of which one can become the other's replica.
pub(crate) fn settings(settings: &Settings) -> Settings {
    use crate::engine::{ADMIN, ADMIN_PASSWORD};
    settings
        .clone()
        .or_option("masteruser", ADMIN)
        .or_option("masterauth", ADMIN_PASSWORD)
        // A master sends its data when the first replica asks, and waits for no other.
        .or_option("repl-diskless-sync-delay", "0")
}

/// A server's part.
#[derive(Debug)]
pub(crate) enum Role {
    /// With the ports of the replicas that follow it.
    Master { followers: Vec<u16> },
    /// With its master's port.
    Replica { of: u16 },
}

impl Role {
    /// Asks the server.
    pub(crate) fn of(server: &Server) -> Result<Self> {
        let answer = server
            .connect(ASK_BOUND)?
            .call(&["INFO", "replication"])?
            .to_string();
        Ok(Self::parse(&answer))
    }

    fn parse(answer: &str) -> Self {
        let lines = || answer.lines().filter_map(|line| line.split_once(':'));
        let master = lines().find(|(name, _)| *name == "master_port");
        if let Some((_, port)) = master {
            return Self::Replica {
                of: port.parse().unwrap_or_default(),
            };
        }
        let followers = lines()
            .filter(|(name, value)| name.starts_with("slave") && value.contains("state=online"))
            .filter_map(|(_, value)| {
                let port = value
                    .split(',')
                    .find_map(|part| part.strip_prefix("port="))?;
                port.parse().ok()
            })
            .collect();
        Self::Master { followers }
    }
}

/// Whether each of these servers is a master, or a replica that one of these masters has at hand.
pub(crate) fn is_complete(servers: &[&Server]) -> Result<bool> {
    let mut roles = Vec::new();
    for server in servers {
        roles.push((server.port(), Role::of(server)?));
    }
    let follows = |replica: u16, master: u16| {
        roles.iter().any(|(port, role)| {
            let Role::Master { followers } = role else {
                return false;
            };
            *port == master && followers.contains(&replica)
        })
    };
    Ok(roles.iter().all(|(port, role)| match role {
        Role::Master { .. } => true,
        Role::Replica { of } => follows(*port, *of),
    }))
}
