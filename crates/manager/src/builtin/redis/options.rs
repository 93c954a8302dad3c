//! From a URL to a namespace on Redis.

use std::ops::RangeInclusive;

use tokenkeep_redis::{RedisOptions, TlsMode};

use super::{Form, places};
use crate::builtin::server::{self, tls};
use crate::builtin::{take_limits, take_span};
use crate::{Durability, Result, StoreUrl, UrlOptions};

/// The most connections that one store may ask for: more is a slip of the pen.
const CONNECTIONS: RangeInclusive<u32> = 1..=1_000;

/// How many replicas may be waited for.
const REPLICAS: RangeInclusive<u32> = 0..=100;

/// Into how many parts a store on a Cluster may be divided.
const SHARDS: RangeInclusive<u32> = 1..=64;

/// Reads the URL, and the files that it names.
pub(super) async fn read(url: &StoreUrl, form: Form) -> Result<RedisOptions> {
    server::read(url, move |url| read_now(url, form)).await
}

/// Waits for the file system.
pub(super) fn read_now(url: &StoreUrl, form: Form) -> Result<RedisOptions> {
    server::refuse_slips(url)?;
    let mut given = url.options();
    let mut options = places::read(url, form, &mut given)?;
    if let Some(namespace) = given.text("namespace") {
        options.namespace = namespace.to_string();
    }
    take_tls(&mut given, form, &mut options)?;
    let durabilities = [("sync", Durability::Sync), ("relaxed", Durability::Relaxed)];
    if let Some(durability) = given.choice("durability", &durabilities)? {
        options.durability = durability;
    }
    if form != Form::Socket {
        options.replicas = take_count(&mut given, "replicas", REPLICAS)?;
    }
    if form == Form::Cluster {
        options.shards = take_count(&mut given, "shards", SHARDS)?;
    }
    if let Some(connections) = take_count(&mut given, "connections", CONNECTIONS)? {
        options.connections = connections;
    }
    if let Some(create) = given.choice("create", &[("true", true), ("false", false)])? {
        options.create = create;
    }
    if let Some(timeout) = take_span(&mut given, "timeout")? {
        options.timeout = timeout;
    }
    options.limits = take_limits(&mut given)?;
    let in_url = options.password.take();
    options.password = server::take_password(&mut given, "password_file", in_url)?;
    given.finish()?;
    Ok(options)
}

/// `redis:` means no encryption wherever it is understood, and `rediss:` means it. The others are as
/// safe as can be where they say nothing.
fn take_tls(given: &mut UrlOptions, form: Form, options: &mut RedisOptions) -> Result<()> {
    let usual = match form {
        // A socket has none, and no option for it.
        Form::Socket => return Ok(()),
        Form::Plain => TlsMode::Disable,
        Form::Encrypted => TlsMode::VerifyFull,
        Form::Sentinel | Form::Cluster => TlsMode::Default,
    };
    let hosts = places::hosts(&options.servers);
    options.tls = tls::take(given, &hosts, usual)?;
    if form == Form::Encrypted && options.tls.mode == TlsMode::Disable {
        return Err(given.fault("asks for TLS, and sslmode=disable for none"));
    }
    Ok(())
}

/// Takes a number within these bounds.
pub(super) fn take_count(
    given: &mut UrlOptions,
    name: &str,
    bounds: RangeInclusive<u32>,
) -> Result<Option<u32>> {
    let Some(number) = given.integer(name)? else {
        return Ok(None);
    };
    let count = u32::try_from(number)
        .ok()
        .filter(|count| bounds.contains(count));
    count.map(Some).ok_or_else(|| {
        let (least, most) = (bounds.start(), bounds.end());
        given.fault(format_args!(
            "has a {name} that is not between {least} and {most}"
        ))
    })
}
