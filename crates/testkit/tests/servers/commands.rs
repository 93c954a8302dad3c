//! What Redis and Valkey do that the others do not.

use tokenkeep_testkit::{Result, Server, Settings};

use crate::{Kind, Test, Told, ensure};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("answers_commands_with_their_arguments", answers),
    ("executes_commands_on_one_connection", one_connection),
    ("tells_what_the_server_complains_of", complaints),
    ("stops_although_its_log_is_not_written_yet", stops),
    ("what_a_script_wrote_survives_a_restart", script),
    ("the_account_cannot_empty_or_change_the_server", rights),
];

fn answers(kind: Kind) -> Result<Told> {
    let server = (kind.start)(&Settings::new())?;
    let set = server.command(&["SET", "two words", "\r\n "])?;
    let got = server.command(&["GET", "two words"])?;
    let many = server.command(&["MGET", "two words", "none", "none"])?;
    let number = server.command(&["STRLEN", "two words"])?;
    let told = [set.as_str(), &got, &many, &number];
    let wanted = ["OK", "\r\n ", "\r\n \n\n", "3"];
    Ok(ensure(told == wanted, &format!("{told:?}")))
}

fn one_connection(kind: Kind) -> Result<Told> {
    let server = (kind.start)(&Settings::new())?;
    let told = server.commands(&[&["MULTI"], &["SET", "a", "1"], &["GET", "a"], &["EXEC"]])?;
    let others = server.command(&["EXEC"]).is_err();
    Ok(ensure(
        told == ["OK", "QUEUED", "QUEUED", "OK\n1"],
        &format!("{told:?}"),
    )
    .and_then(|()| ensure(others, "a transaction that nobody began")))
}

fn complaints(kind: Kind) -> Result<Told> {
    let server = (kind.start)(&Settings::new())?;
    let told = server.command(&["LPUSH", "a"]);
    let text = told.unwrap_or_else(|error| error.to_string());
    Ok(ensure(text.contains("wrong number of arguments"), &text))
}

/// Until the first log is written Redis does not end when asked.
fn stops(kind: Kind) -> Result<Told> {
    let server = (kind.start)(&Settings::new())?;
    server.command(&["MSET", "a", "1", "b", "2", "c", "3"])?;
    for (name, value) in [
        ("appendonly", "no"),
        // Microseconds for each key.
        ("rdb-key-save-delay", "200000"),
        ("appendonly", "yes"),
    ] {
        server.command(&["CONFIG", "SET", name, value])?;
    }
    server.stop()?;
    let refused = server.end_of_log().contains("can't exit");
    server.restart()?;
    let found = server.command(&["GET", "c"])?;
    Ok(ensure(refused, &server.end_of_log()).and_then(|()| ensure(found == "3", &found)))
}

fn script(kind: Kind) -> Result<Told> {
    let server = (kind.start)(&Settings::new())?;
    let script = "redis.call('SET', 'a', '1') return redis.call('SET', 'b', '2')";
    server.command(&["EVAL", script, "0"])?;
    server.kill()?;
    server.restart()?;
    let found = server.command(&["MGET", "a", "b"])?;
    Ok(ensure(found == "1\n2", &found))
}

fn rights(kind: Kind) -> Result<Told> {
    let server = (kind.start)(&Settings::new())?;
    let may = |server: &Server, command: &[&str]| {
        let command = [&["ACL", "DRYRUN", server.user()], command].concat();
        server.command(&command).map(|told| told == "OK")
    };
    for refused in [
        &["FLUSHALL"][..],
        &["FLUSHDB"],
        &["KEYS", "*"],
        &["CONFIG", "SET", "save", ""],
        &["SHUTDOWN"],
        &["REPLICAOF", "NO", "ONE"],
        &["ACL", "LIST"],
        &["SCRIPT", "FLUSH"],
    ] {
        if may(&server, refused)? {
            return Ok(Err(format!("{refused:?}").into()));
        }
    }
    for granted in [
        &["GET", "a"][..],
        &["EVALSHA", "0", "0"],
        &["SCAN", "0"],
        &["UNLINK", "a"],
        &["WAIT", "0", "1"],
        &["CONFIG", "GET", "save"],
        &["CLUSTER", "SLOTS"],
        &["INFO"],
    ] {
        if !may(&server, granted)? {
            return Ok(Err(format!("not {granted:?}").into()));
        }
    }
    Ok(Ok(()))
}
