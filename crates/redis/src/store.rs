//! Opening a store, making it where it is not there, and removing it.

use std::sync::Arc;

use redis::{Value, cmd};
use tokenkeep_backend::{Call, Effect, Failure, Outcome};
use tokenkeep_core::{Clock, Durability, Error, ErrorKind, Result, StoreId};

use crate::driver::{RedisDriver, in_call};
use crate::keys::{OneKey, check_namespace, meta_key};
use crate::network::{Network, Slot};
use crate::options::{RedisOptions, Servers};
use crate::reply::{bytes, strange};
use crate::script::META;
use crate::shards::Shards;

/// The layout of keys and values that this version knows.
const LAYOUT: u64 = 1;

/// Opens a namespace, and makes the store if it is not there.
///
/// # Behavior
///
/// - With Sentinel and on a Cluster it goes on asking while no master answers yet, as in a failover; at the
///   end of the timeout it tells what it heard last.
/// - It takes no longer than the timeout, the making of the store included.
///
/// # Errors
///
/// `Config` for options, an account or settings of the server that cannot work, for a store of a newer
/// layout or of another number of shards than asked for, and where there is none and `create` is off.
/// `Unavailable` if no server can be reached. `Corrupt` if the store's constants make no sense.
///
/// # Cancel safety
///
/// The store is made or not.
pub async fn open(options: &RedisOptions, clock: Arc<dyn Clock>) -> Result<RedisDriver> {
    let call = Call::within(options.timeout);
    let opened = async {
        check(options)?;
        let network = Network::open(options).await?;
        let constants = constants(&network, &call, options).await?;
        Ok((network, constants))
    };
    let (network, constants) = opened.await.map_err(in_call("open"))?;
    Ok(RedisDriver::new(network, constants, options, clock))
}

/// Refuses what no server could make work.
fn check(options: &RedisOptions) -> Result<()> {
    check_namespace(&options.namespace)?;
    let is_cluster = matches!(options.servers, Servers::Cluster(_));
    let most = if is_cluster { Shards::MAX } else { 1 };
    if let Some(shards) = options.shards
        && !(1..=most).contains(&shards)
    {
        let where_ = if is_cluster {
            "a Cluster"
        } else {
            "one master"
        };
        return Err(unusable(format!(
            "shards is {shards}, not 1 to {most} as on {where_}"
        )));
    }
    if options.durability == Durability::Volatile {
        return Err(unusable("durability is neither sync nor relaxed"));
    }
    Ok(())
}

/// What a store is made with and keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Constants {
    pub(crate) id: StoreId,
    pub(crate) shards: u32,
}

impl Constants {
    /// Refuses those of another store than was opened.
    pub(crate) fn expect(self, id: StoreId, shards: usize, key: &OneKey) -> Result<()> {
        match self.id == id && self.shards as usize == shards {
            true => Ok(()),
            false => Err(Error::corrupt(
                &key.name,
                "is another store's by now: open it again",
            )),
        }
    }

    /// Reads layout, id and number of shards as the store keeps them.
    fn read(key: &OneKey, values: Vec<Value>) -> Outcome<Self> {
        let corrupt = || {
            let problem = format!("{}: does not say which store this is", key.name);
            Failure::refused(ErrorKind::Corrupt, problem)
        };
        let number = |value: Value| {
            let text = String::from_utf8(bytes(value).ok()?).ok()?;
            text.parse::<u64>().ok()
        };
        let [layout, id, shards] = <[Value; 3]>::try_from(values).map_err(|_| strange())?;
        let layout = number(layout)
            .filter(|layout| *layout > 0)
            .ok_or_else(corrupt)?;
        if layout > LAYOUT {
            let problem = format!(
                "the store has layout {layout}; this version knows those up to {LAYOUT}: use a newer one"
            );
            return Err(Failure::refused(ErrorKind::Config, problem));
        }
        let shards = number(shards).and_then(|shards| u32::try_from(shards).ok());
        Ok(Self {
            id: number(id).map(StoreId::from_u64).ok_or_else(corrupt)?,
            shards: shards
                .filter(|shards| (1..=Shards::MAX).contains(shards))
                .ok_or_else(corrupt)?,
        })
    }
}

async fn constants(network: &Network, call: &Call, options: &RedisOptions) -> Result<Constants> {
    let key = meta_key(&options.namespace);
    let found = async {
        match look(network, call, &key).await? {
            Some(constants) => Ok(constants),
            None if options.create => make(network, call, &key, options).await,
            None => {
                let problem = format!(
                    "there is no store in the namespace {:?}, and create is off",
                    options.namespace
                );
                Err(Failure::refused(ErrorKind::Config, problem))
            }
        }
    };
    // Whoever repeats it finds the same: a lost answer leaves no doubt that matters.
    let constants = found
        .await
        .map_err(|failure| failure.into_error(Effect::Reads))?;
    match options.shards {
        Some(asked) if asked != constants.shards => Err(unusable(format!(
            "shards is {asked}, but the store was made with {}, which stays",
            constants.shards
        ))),
        _ => Ok(constants),
    }
}

/// The constants of the store with this key, if there is one.
pub(crate) async fn look(
    network: &Network,
    call: &Call,
    key: &OneKey,
) -> Outcome<Option<Constants>> {
    let mut command = cmd("HMGET");
    command.arg(&key.name).arg(&["layout", "id", "shards"]);
    let found = network.command(call, Effect::Reads, Slot(key.slot), &command);
    match found.await? {
        Value::Array(values) if values.iter().all(|value| *value == Value::Nil) => Ok(None),
        Value::Array(values) => Constants::read(key, values).map(Some),
        _ => Err(strange()),
    }
}

/// Makes a store unless another process does at the same time; then it is that one's.
async fn make(
    network: &Network,
    call: &Call,
    key: &OneKey,
    options: &RedisOptions,
) -> Outcome<Constants> {
    let shards = match options.servers {
        Servers::Cluster(_) => options.shards.unwrap_or(Shards::MAX),
        Servers::Standalone(_) | Servers::Sentinel(_) => 1,
    };
    let id = StoreId::generate().to_u64();
    let arguments = [LAYOUT.to_string(), id.to_string(), shards.to_string()];
    let arguments: Vec<_> = arguments.iter().map(String::as_bytes).collect();
    let (effect, slot) = (Effect::Writes, Slot(key.slot));
    let made = network.script(call, effect, slot, &META, key.name.as_bytes(), &arguments);
    match made.await? {
        Value::Array(values) => Constants::read(key, values),
        _ => Err(strange()),
    }
}

fn unusable(problem: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, problem.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: [&str; 3]) -> Outcome<Constants> {
        let values = values.map(|value| match value {
            "" => Value::Nil,
            value => Value::BulkString(value.into()),
        });
        Constants::read(&meta_key("ns"), values.into())
    }

    #[test]
    fn constants_are_read_as_they_are_written() {
        let constants = read(["1", "18446744073709551615", "64"]).unwrap();
        assert_eq!(constants.id, StoreId::from_u64(u64::MAX));
        assert_eq!(constants.shards, 64);
    }

    #[test]
    fn a_newer_layout_is_told_from_nonsense() {
        let kind = |values| read(values).unwrap_err().into_error(Effect::Reads).kind();
        assert_eq!(kind(["2", "1", "1"]), ErrorKind::Config);
        assert_eq!(kind(["3", "", ""]), ErrorKind::Config);
        for bad in [["", "1", "1"], ["0", "1", "1"], ["x", "1", "1"]] {
            assert_eq!(kind(bad), ErrorKind::Corrupt);
        }
        for bad in [
            ["1", "", "1"],
            ["1", "-1", "1"],
            ["1", "1", "0"],
            ["1", "1", "65"],
        ] {
            assert_eq!(kind(bad), ErrorKind::Corrupt);
        }
    }
}
