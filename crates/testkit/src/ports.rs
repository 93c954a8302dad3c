//! Ports that a server can come back to.

use std::fs::{self, File};
use std::net::TcpListener;
use std::process;
use std::sync::atomic::{AtomicU16, Ordering};

use crate::error::{Error, Result};
use crate::machine;

/// Where ports are taken from: below those that systems give to outgoing connections. A server's
/// port would be lost to one of these while the server is down; a client that knocks at it then
/// could even be given the port itself, and talk to itself.
const FIRST: u16 = 12_000;
const COUNT: u16 = 18_000;

/// A port that no other server of this package has, until this is dropped.
#[derive(Debug)]
pub(crate) struct Port {
    pub(crate) number: u16,
    _lock: File,
}

impl Port {
    pub(crate) fn take() -> Result<Self> {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let folder = machine::folder()?.join("ports");
        fs::create_dir_all(&folder).map_err(Error::while_doing("the folder of ports"))?;
        // Where processes begin differs, so that they seldom try the same ports.
        let beginning = process::id().wrapping_mul(7_919) % u32::from(COUNT);
        for _ in 0..COUNT {
            let step = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
            let offset = (beginning + step) % u32::from(COUNT);
            let number = FIRST + u16::try_from(offset).unwrap_or_default();
            let lock = machine::lock_file(&folder.join(number.to_string()))?;
            if lock.try_lock().is_ok() && TcpListener::bind(("127.0.0.1", number)).is_ok() {
                return Ok(Self {
                    number,
                    _lock: lock,
                });
            }
        }
        Err(Error::failed("every port is taken"))
    }
}
