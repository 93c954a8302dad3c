//! What the suite does to a namespace on Redis that a driver does not.

mod dial;
mod masters;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, cmd};
use tokenkeep::{Error, ErrorKind, Result};

use super::target::Target;
use super::unusable;

/// Every key of the namespace and everything that it holds, as it is.
pub(super) async fn contents(target: &Target) -> Result<Vec<u8>> {
    let mut contents = Vec::new();
    for mut master in masters::connect(target).await? {
        for key in keys(&mut master, &target.namespace).await? {
            let parts = parts(&mut master, &key).await?;
            for part in std::iter::once(key).chain(parts) {
                contents.extend(part);
                contents.push(b'\n');
            }
        }
    }
    Ok(contents)
}

/// The keys of the namespace on this server. One may stand twice.
async fn keys(server: &mut MultiplexedConnection, namespace: &str) -> Result<Vec<Vec<u8>>> {
    let mut keys = Vec::new();
    let mut place = 0_u64;
    loop {
        let mut scan = cmd("SCAN");
        scan.arg(place).arg("MATCH").arg(format!("{namespace}:*"));
        scan.arg("COUNT").arg(1_000);
        let (next, found): (u64, Vec<Vec<u8>>) = ask(server, &scan).await?;
        keys.extend(found);
        place = next;
        if place == 0 {
            return Ok(keys);
        }
    }
}

/// What a key holds; nothing if it is gone meanwhile.
async fn parts(server: &mut MultiplexedConnection, key: &[u8]) -> Result<Vec<Vec<u8>>> {
    let kind: String = ask(server, cmd("TYPE").arg(key)).await?;
    match kind.as_str() {
        "none" => Ok(Vec::new()),
        "string" => {
            let value: Option<Vec<u8>> = ask(server, cmd("GET").arg(key)).await?;
            Ok(value.into_iter().collect())
        }
        "hash" => ask(server, cmd("HGETALL").arg(key)).await,
        "zset" => {
            ask(
                server,
                cmd("ZRANGE").arg(key).arg(0).arg(-1).arg("WITHSCORES"),
            )
            .await
        }
        other => Err(Error::new(
            ErrorKind::Corrupt,
            format!("the namespace has a key of type {other}"),
        )),
    }
}

async fn ask<T: redis::FromRedisValue>(
    server: &mut MultiplexedConnection,
    command: &Cmd,
) -> Result<T> {
    command.query_async(server).await.map_err(unusable)
}
