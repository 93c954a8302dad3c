//! Which store, how it is told, and what the program prints of itself.

use serde_json::json;

use crate::support::{Answer, Home};

/// Runs with one variable of the environment set.
fn run_with_env(home: &Home, name: &str, value: &str, args: &[&str]) -> Answer {
    let mut command = home.command(args);
    command.env(name, value);
    Answer::of(command)
}

fn url_in_effect(answer: Answer) -> String {
    answer.expect(0).json()["store"]["url"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn the_option_goes_before_the_environment_before_the_file_before_the_default() {
    let home = Home::new();
    let config = ["config", "--format=json"];
    assert_eq!(url_in_effect(home.run(&config)), "sled:./tokenkeep-data");
    let file = home.file("tokenkeep.toml", "[store]\nurl = \"sled:from-file\"\n");
    assert_eq!(
        url_in_effect(run_with_env(&home, "TOKENKEEP_CONFIG", &file, &config)),
        "sled:from-file"
    );
    assert_eq!(
        url_in_effect(run_with_env(&home, "TOKENKEEP_CONFIG", "", &config)),
        "sled:./tokenkeep-data",
        "an empty variable counts as unset"
    );
    let with_file = ["config", "--format=json", "--config", &file];
    let variable = "TOKENKEEP_STORE__URL";
    assert_eq!(
        url_in_effect(run_with_env(&home, variable, "sled:from-env", &with_file)),
        "sled:from-env"
    );
    let all = [&with_file[..], &["--store=memory:"]].concat();
    assert_eq!(
        url_in_effect(run_with_env(&home, variable, "sled:from-env", &all)),
        "memory:"
    );
}

#[test]
fn the_option_goes_before_a_file_that_holds_a_url() {
    let home = Home::new();
    let config = home.file("c.toml", "[store]\nurl_file = \"not-there\"\n");
    home.run(&["config", "--config", &config])
        .refused(2, "not-there");
    home.run(&["config", "--config", &config, "--store=memory:"])
        .expect(0);
}

#[test]
fn the_configuration_is_shown_with_passwords_masked() {
    let home = Home::new().with_store("postgres://ada:s3cret@db/tokens");
    for args in [vec!["config"], vec!["config", "--format=json"]] {
        let shown = home.run(&args).expect(0);
        assert!(
            shown.out.contains("postgres://ada:***@db/tokens"),
            "{shown:?}"
        );
        assert!(!shown.out.contains("s3cret") && !shown.err.contains("s3cret"));
    }
    let table = Home::new().run(&["config"]).expect(0);
    assert!(table.out.contains("default_lifetime = \"1h\""), "{table:?}");
}

#[test]
fn a_scheme_that_was_forgotten_is_said_and_no_password() {
    for url in [
        "tokens:s3cret@localhost:55432/tokens",
        "tokens:s3cret@localhost:55432/tokens?bad=s3cret",
    ] {
        let home = Home::new().with_store(url);
        for command in ["config", "check", "migrate"] {
            let refused = home.run(&[command]).refused(2, "unknown scheme `tokens`");
            assert!(refused.err.contains("the known ones are: mariadb, memory,"));
            assert!(!refused.err.contains("s3cret"), "{refused:?}");
        }
    }
    let shown = Home::new()
        .with_store("postgres://ada@db/tokens?bad=s3cret")
        .run(&["config"]);
    assert!(shown.out.contains("?bad=***"), "{shown:?}");
}

#[test]
fn no_command_tells_a_password() {
    for (url, says) in [
        ("oracle://ada:s3cret@db/tokens", "unknown scheme `oracle`"),
        (
            "postgres://ada@db/tokens?password=s3cret",
            "has an option `password`",
        ),
        (
            "mysql://ada:s3cret@one,two/tokens",
            "names no host, or several",
        ),
        ("mysql://ada:s3cret@db:port/tokens", "has a port"),
    ] {
        let home = Home::new().with_store(url);
        for args in [vec!["check"], vec!["demo"], vec!["list", "--user=a", "-v"]] {
            let refused = home.run(&args).refused(2, says);
            assert!(!refused.err.contains("s3cret"), "{refused:?}");
        }
        let refused = home.run(&["conformance", url]).refused(2, says);
        assert!(!refused.err.contains("s3cret"), "{refused:?}");
    }
}

#[test]
fn what_cannot_be_configured_is_said() {
    let home = Home::new();
    let check = |args: &[&str]| home.run(&[&["check"], args].concat());
    check(&["--store=nosuch:x"]).refused(2, "the known ones are: mariadb, memory, mysql,");
    check(&["--store=memory:?colour=red"]).refused(2, "unknown option `colour`");
    check(&["--store=sled:x?timeout=soon"]).refused(2, "`timeout`");
    check(&["--store=nonsense"]).refused(2, "has no scheme");
    check(&["--config=/nowhere/c.toml"]).refused(2, "cannot read /nowhere/c.toml");
    check(&["--config=."]).refused(2, "cannot read .");
    for (text, says) in [
        ("[store]\ncolour = 1\n", "colour"),
        ("[stores]\nurl = \"memory:\"\n", "stores"),
        ("url = \"memory:\"\n", "url"),
        ("[store\n", "line 1"),
    ] {
        let file = home.file("bad.toml", text);
        check(&["--config", &file]).refused(2, says);
    }
    run_with_env(&home, "TOKENKEEP_STORE__COLOUR", "x", &["check"])
        .refused(2, "TOKENKEEP_STORE__COLOUR");
    run_with_env(&home, "TOKENKEEP_LOG", "a=b=c", &["check"]).refused(2, "TOKENKEEP_LOG");
}

#[test]
fn check_says_what_the_store_is() {
    let home = Home::new();
    home.create(&["--user=ada"]);
    let info = home.run(&["check", "--format=json"]).expect(0).json();
    assert_eq!(info["driver"], "sled");
    assert_eq!(info["durability"], "sync");
    assert_eq!(info["namespace"], "default");
    let relaxed = home.run(&[
        "check",
        "--store=sled:x?durability=relaxed&namespace=n&create=true",
    ]);
    let relaxed = relaxed.expect(0);
    assert!(
        relaxed.out.contains("relaxed") && relaxed.out.contains(" n\n"),
        "{relaxed:?}"
    );
    let memory = home.run(&["check", "--store=memory:", "--format=json"]);
    assert_eq!(memory.expect(0).json()["durability"], json!("volatile"));
}

#[test]
fn logs_go_to_standard_error_alone() {
    let home = Home::new();
    home.create(&["--user=ada"]);
    let answer = home.run(&["check", "--verbose", "--format=json"]).expect(0);
    answer.json();
    assert!(
        answer.err.contains("INFO") && answer.err.contains("sled:"),
        "{answer:?}"
    );
    assert!(!answer.err.contains('\x1b'));
    let quiet = run_with_env(&home, "TOKENKEEP_LOG", "off", &["check", "--verbose"]).expect(0);
    assert_eq!(quiet.err, "");
}

#[test]
fn no_answer_holds_colour_off_a_terminal() {
    let home = Home::new();
    for args in [
        vec!["check"],
        vec!["list", "--user=a"],
        vec!["list"],
        vec!["--help"],
    ] {
        for (name, value) in [("NO_COLOR", "1"), ("TERM", "xterm-256color")] {
            let answer = run_with_env(&home, name, value, &args);
            assert!(
                !answer.out.contains('\x1b') && !answer.err.contains('\x1b'),
                "{answer:?}"
            );
        }
    }
    // Colour can be forced on, which shows that there is some, and NO_COLOR goes before that.
    let mut forced = home.command(&["list"]);
    forced.env("CLICOLOR_FORCE", "1");
    assert!(Answer::of(forced).err.contains('\x1b'));
    let mut forbidden = home.command(&["list"]);
    forbidden.env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1");
    assert!(!Answer::of(forbidden).err.contains('\x1b'));
}

#[test]
fn completions_name_every_subcommand() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = home.run(&["completions", shell]).expect(0).out;
        for command in ["revoke-tokens", "conformance", "demo", "completions"] {
            assert!(script.contains(command), "{shell} lacks {command}");
        }
    }
    home.run(&["completions", "tcsh"]).refused(2, "tcsh");
}

#[test]
fn help_and_version_are_answers() {
    let home = Home::new();
    assert!(
        home.run(&["--version"])
            .expect(0)
            .out
            .starts_with("tokenkeep ")
    );
    let help = home.run(&["--help"]).expect(0);
    assert!(help.out.contains("Exit codes:"));
    for wrong in [vec![], vec!["nosuch"], vec!["check", "--nosuch"]] {
        home.run(&wrong).expect(2);
    }
}
