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
        let mut session = Command::new("mariadb")
            .args(["--no-defaults", "--unbuffered", "--silent"])
            .arg(format!("--socket={}", server.socket().display()))
            .arg(format!("--user={}", server.admin()))
            .env("MYSQL_PWD", server.admin_password())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // Held once the last of these statements has begun.
        let text = format!("START TRANSACTION; {lock}; DO SLEEP(1000) /* holder */;\n");
        let input = session.stdin.as_mut().unwrap();
        input.write_all(text.as_bytes()).unwrap();
        input.flush().unwrap();
        let holder = Self { session };
        let sql = "SELECT COUNT(*) FROM information_schema.processlist \
                   WHERE state = 'User sleep' AND user = 'admin'";
        until("the lock is held", || {
            server.sql(sql).unwrap().trim() == "1"
        });
        holder
    }

    /// Lets go, and waits until the server has noticed.
    pub(crate) fn release(self, server: &Server) {
        drop(self);
        let sql = "SELECT CONCAT('KILL ', id) FROM information_schema.processlist \
                   WHERE state = 'User sleep' AND user = 'admin'";
        until("the lock is let go", || {
            let kill = server.sql(sql).unwrap();
            // One that has ended by itself meanwhile is as good.
            let _ = server.sql(kill.trim());
            kill.trim().is_empty()
        });
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
