//! The configuration file of a Redis server: an account is no argument.

use std::fs;
use std::path::PathBuf;

use super::rights;
use crate::account::Account;
use crate::engine::{Layout, merged};
use crate::error::{Error, Result};
use crate::settings::Settings;

/// Writes the file. The server changes it itself: a sentinel writes down what it learns, and makes
/// the servers do so.
pub(super) fn write(
    layout: &Layout,
    settings: &Settings,
    account: Account,
    is_sentinel: bool,
) -> Result<PathBuf> {
    let mut ours = listening(layout);
    let mut text = if is_sentinel {
        rights::of_sentinel(settings.guarded_sentinels)
    } else {
        ours.append(&mut storing(settings));
        rights::of_server()
    };
    for (name, value) in merged(&ours, settings) {
        text.push_str(&format!("{name} {value}\n"));
    }
    let file = layout.folder.join("redis.conf");
    fs::write(&file, text).map_err(Error::while_doing(file.display()))?;
    account.own(&file)?;
    Ok(file)
}

fn listening(layout: &Layout) -> Vec<(&'static str, String)> {
    let mut options = vec![
        ("dir", layout.data().display().to_string()),
        ("bind", "127.0.0.1".to_owned()),
        ("unixsocket", socket(layout).display().to_string()),
        ("maxclients", "400".to_owned()),
    ];
    if let Some(tls) = &layout.tls {
        options.push(("port", "0".to_owned()));
        options.push(("tls-port", layout.port.to_string()));
        options.push(("tls-ca-cert-file", tls.ca.display().to_string()));
        options.push(("tls-cert-file", tls.certificate.display().to_string()));
        options.push(("tls-key-file", tls.key.display().to_string()));
        options.push(("tls-auth-clients", "no".to_owned()));
        // Among themselves they speak it too.
        options.push(("tls-replication", "yes".to_owned()));
    } else {
        options.push(("port", layout.port.to_string()));
    }
    options
}

fn storing(settings: &Settings) -> Vec<(&'static str, String)> {
    let flush = if settings.relaxed {
        "everysec"
    } else {
        "always"
    };
    vec![
        ("appendonly", "yes".to_owned()),
        ("appendfsync", flush.to_owned()),
        ("save", "\"\"".to_owned()),
    ]
}

pub(super) fn socket(layout: &Layout) -> PathBuf {
    layout.folder.join("redis.sock")
}
