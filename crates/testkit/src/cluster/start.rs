//! How a cluster comes to be.

use super::view::View;
use super::{Cluster, SLOTS};
use crate::engine::Redis;
use crate::error::{Error, Result};
use crate::ports::Port;
use crate::processes;
use crate::replication::{self, PAUSE};
use crate::server::{Prepared, Server};
use crate::settings::Settings;

impl Cluster {
    /// Starts so many masters, each with so many replicas; returns when all is in order, which takes
    /// some two seconds.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`] where Redis is not installed.
    pub fn redis(masters: u16, replicas: u16, settings: &Settings) -> Result<Self> {
        Self::start(&Redis::REDIS, masters, replicas, settings)
    }

    /// As [`redis`](Self::redis), with Valkey.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`] where Valkey is not installed.
    pub fn valkey(masters: u16, replicas: u16, settings: &Settings) -> Result<Self> {
        Self::start(&Redis::VALKEY, masters, replicas, settings)
    }

    fn start(
        engine: &'static Redis,
        masters: u16,
        replicas: u16,
        settings: &Settings,
    ) -> Result<Self> {
        if masters == 0 {
            return Err(Error::failed("a cluster takes a master"));
        }
        let settings = of_nodes(settings);
        let (mut prepared, mut bus_ports, mut tls) = (Vec::new(), Vec::new(), None);
        for _ in 0..masters * (1 + replicas) {
            let bus = Port::take()?;
            let settings = settings
                .clone()
                .with_option("cluster-port", &bus.number.to_string());
            let node = Prepared::new(engine, &settings, tls.as_ref())?;
            tls = node.tls().cloned();
            prepared.push(node);
            bus_ports.push(bus);
        }
        let nodes = Prepared::start_all(prepared)?;
        let ids = nodes
            .iter()
            .map(|node| node.command(&["CLUSTER", "MYID"]))
            .collect::<Result<_>>()?;
        let cluster = Self {
            nodes,
            ids,
            _bus_ports: bus_ports,
        };
        let (masters, replicas) = cluster.nodes.split_at(usize::from(masters));
        share_epochs(masters)?;
        cluster.meet()?;
        share_slots(masters)?;
        for (index, replica) in replicas.iter().enumerate() {
            follow(replica, &cluster.ids[index % masters.len()])?;
        }
        cluster.wait_ok()?;
        Ok(cluster)
    }

    /// Makes each node known to the first, which tells the others.
    fn meet(&self) -> Result<()> {
        let mut nodes = self.nodes.iter().zip(&self._bus_ports);
        let first = nodes.next().map(|(first, _)| first);
        let Some(first) = first else { return Ok(()) };
        for (node, bus) in nodes {
            let (port, bus) = (node.port().to_string(), bus.number.to_string());
            first.command(&["CLUSTER", "MEET", node.host(), &port, &bus])?;
        }
        Ok(())
    }
}

/// A node's settings.
fn of_nodes(settings: &Settings) -> Settings {
    let timeout = if settings.patient { "15000" } else { "1000" };
    let of_nodes = replication::settings(settings)
        .or_option("cluster-enabled", "yes")
        .or_option("cluster-node-timeout", timeout)
        .or_option("cluster-announce-ip", "127.0.0.1");
    if settings.tls {
        return of_nodes.or_option("tls-cluster", "yes");
    }
    of_nodes
}

/// Gives each master an epoch of its own, which it takes only as long as it knows of no other: those with the
/// same one would contradict each other about slots that move.
fn share_epochs(masters: &[Server]) -> Result<()> {
    for (epoch, master) in (1_u32..).zip(masters) {
        master.command(&["CLUSTER", "SET-CONFIG-EPOCH", &epoch.to_string()])?;
    }
    Ok(())
}

/// Gives each master its part.
fn share_slots(masters: &[Server]) -> Result<()> {
    let count = u16::try_from(masters.len()).unwrap_or(SLOTS);
    for (index, master) in (0..count).zip(masters) {
        let edge = |index: u16| u32::from(SLOTS) * u32::from(index) / u32::from(count);
        let (first, last) = (edge(index).to_string(), (edge(index + 1) - 1).to_string());
        master.command(&["CLUSTER", "ADDSLOTSRANGE", &first, &last])?;
    }
    Ok(())
}

/// Makes a node the replica of a master, of which it has to have heard.
fn follow(replica: &Server, master: &str) -> Result<()> {
    processes::until_every(PAUSE, "a node to hear of its master", || {
        View::of(replica).is_ok_and(|view| view.knows(master))
    })?;
    replica.command(&["CLUSTER", "REPLICATE", master]).map(drop)
}
