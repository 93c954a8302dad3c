//! A session beside the driver's that holds a lock.

use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tokenkeep_testkit::Server;

/// Holds a lock, in a session of the server's own client, until dropped.
pub(crate) struct Holder {
    session: Child,
}

impl Holder {
    pub(crate) fn new(server: &Server, lock: &str) -> Self {
        let mut session = Command::new("psql")
            .args(["-X", "-q", "-h"])
            .arg(server.folder())
            .args(["-p", &server.port().to_string(), "-U", server.admin()])
            .args(["-d", server.database()])
            .env("PGPASSWORD", server.admin_password())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let text = format!("BEGIN; {lock}; SET application_name = 'holder';\n");
        let input = session.stdin.as_mut().unwrap();
        input.write_all(text.as_bytes()).unwrap();
        let holder = Self { session };
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'holder'";
        until("the lock is held", || {
            server.sql(sql).unwrap().trim() == "1"
        });
        holder
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.session.kill().unwrap();
        self.session.wait().unwrap();
    }
}

/// Waits, at most two minutes.
pub(crate) fn until(what: &str, condition: impl Fn() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < Duration::from_secs(120), "{what}");
        thread::sleep(Duration::from_millis(10));
    }
}
