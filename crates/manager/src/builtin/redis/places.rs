//! Where the servers are that a URL names, and the account on them.

use std::path::PathBuf;

use tokenkeep_redis::{Address, Host, RedisOptions, SentinelServers, Servers};

use super::Form;
use super::options::take_count;
use crate::builtin::server;
use crate::{Result, ServerList, StoreUrl, UrlOptions};

/// The usual port of a server, and of a sentinel.
const PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26_379;

/// The highest number of a database that a server can be configured for.
const LAST_DATABASE: u32 = 2_147_483_647;

/// The options of a store on these servers, of which all else is as usual.
pub(super) fn read(url: &StoreUrl, form: Form, given: &mut UrlOptions) -> Result<RedisOptions> {
    let mut list = url.servers()?;
    let path = std::mem::take(&mut list.path);
    let (servers, database) = match form {
        Form::Plain | Form::Encrypted => one(url, &list, &path)?,
        Form::Socket => socket(url, &list, &path, given)?,
        Form::Sentinel => sentinels(url, &list, &path, given)?,
        Form::Cluster => cluster(url, &list, &path)?,
    };
    let mut options = RedisOptions::new(servers);
    options.database = database;
    options.user = list.user;
    options.password = list.password;
    Ok(options)
}

/// The names of the hosts, as far as the URL tells them.
pub(super) fn hosts(servers: &Servers) -> Vec<&str> {
    let hosts = match servers {
        Servers::Standalone(Address::Tcp(host)) => std::slice::from_ref(host),
        Servers::Standalone(Address::Unix(_)) => &[],
        Servers::Sentinel(set) => &set.sentinels,
        Servers::Cluster(nodes) => nodes,
    };
    hosts.iter().map(|host| host.name.as_str()).collect()
}

fn one(url: &StoreUrl, list: &ServerList, path: &[String]) -> Result<(Servers, u32)> {
    let hosts = hosts_of(url, list, PORT)?;
    let [host] = hosts.as_slice() else {
        return Err(url.fault(
            "names several hosts where one is possible; those of a Cluster stand behind \
             `redis+cluster:`, sentinels behind `redis+sentinel:`",
        ));
    };
    let database = match path {
        [] => 0,
        [database] => number(url, database)?,
        _ => return Err(url.fault("names more than a database behind its host")),
    };
    Ok((Servers::Standalone(Address::Tcp(host.clone())), database))
}

fn socket(
    url: &StoreUrl,
    list: &ServerList,
    path: &[String],
    given: &mut UrlOptions,
) -> Result<(Servers, u32)> {
    if !list.hosts.is_empty() {
        return Err(
            url.fault("names a host where the path of a Unix socket stands: //user:password@/path")
        );
    }
    if path.iter().all(String::is_empty) {
        return Err(url.fault("names no Unix socket: ///run/redis.sock"));
    }
    let path = PathBuf::from(format!("/{}", path.join("/")));
    let database = take_count(given, "database", 0..=LAST_DATABASE)?;
    Ok((
        Servers::Standalone(Address::Unix(path)),
        database.unwrap_or(0),
    ))
}

fn sentinels(
    url: &StoreUrl,
    list: &ServerList,
    path: &[String],
    given: &mut UrlOptions,
) -> Result<(Servers, u32)> {
    let sentinels = hosts_of(url, list, SENTINEL_PORT)?;
    let (master, database) = match path {
        [master] => (master, 0),
        [master, database] => (master, number(url, database)?),
        [] => (&String::new(), 0),
        _ => {
            let problem = "names more than a master and a database behind its hosts";
            return Err(url.fault(problem));
        }
    };
    if master.is_empty() {
        let problem = "names no master behind its hosts, by the name that the sentinels know: \
                       host,host/master";
        return Err(url.fault(problem));
    }
    let user = given.text("sentinel_user").map(|user| user.to_string());
    let password = given.text("sentinel_password");
    let password = server::take_password(given, "sentinel_password_file", password)?;
    let servers = SentinelServers {
        sentinels,
        master: master.clone(),
        user,
        password,
    };
    Ok((Servers::Sentinel(servers), database))
}

fn cluster(url: &StoreUrl, list: &ServerList, path: &[String]) -> Result<(Servers, u32)> {
    let nodes = hosts_of(url, list, PORT)?;
    match path {
        [] => {}
        [database] if matches!(database.as_str(), "" | "0") => {}
        _ => return Err(url.fault("names a database, of which a Cluster has none but 0")),
    }
    Ok((Servers::Cluster(nodes), 0))
}

fn hosts_of(url: &StoreUrl, list: &ServerList, usual_port: u16) -> Result<Vec<Host>> {
    if list.hosts.is_empty() {
        return Err(url.fault("names no host"));
    }
    if list.hosts.iter().any(|(name, _)| name.starts_with('/')) {
        return Err(
            url.fault("names a path where a host stands; a Unix socket is redis+unix:///path")
        );
    }
    let host = |(name, port): &(String, Option<u16>)| Host {
        name: name.clone(),
        port: port.unwrap_or(usual_port),
    };
    Ok(list.hosts.iter().map(host).collect())
}

fn number(url: &StoreUrl, database: &str) -> Result<u32> {
    if database.is_empty() {
        return Ok(0);
    }
    let number = database
        .parse()
        .ok()
        .filter(|number| *number <= LAST_DATABASE);
    number.ok_or_else(|| url.fault("names a database that is no number: host/0"))
}
