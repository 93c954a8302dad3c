//! What needs something of the machine: a terminal, a disk that is full, a user without rights.
//!
//! Where the machine lacks it, a test is ignored with the reason, or fails if
//! `TOKENKEEP_REQUIRE_SERVERS` is set.

fn main() {
    let arguments = libtest_mimic::Arguments::from_args();
    libtest_mimic::run(&arguments, machine::trials()).exit();
}

#[cfg(test)]
mod machine {
    use std::env;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;
    use std::process::{Command, Output, Stdio};

    use libtest_mimic::{Completion, Failed, Trial};
    use tempfile::TempDir;

    type Ended = Result<Completion, Failed>;

    pub(crate) fn trials() -> Vec<Trial> {
        vec![
            Trial::ignorable_test("a_question_is_asked_on_a_terminal", asks),
            Trial::ignorable_test("colour_is_for_a_terminal_and_NO_COLOR_forbids_it", colours),
            Trial::ignorable_test(
                "a_folder_that_cannot_be_written_is_said_to_be_so",
                read_only,
            ),
            Trial::ignorable_test("a_full_disk_is_an_error_and_no_panic", full_disk),
        ]
    }

    /// What to answer where the machine lacks something.
    fn lacking(what: &str) -> Ended {
        if env::var_os("TOKENKEEP_REQUIRE_SERVERS").is_some_and(|value| value == "1") {
            return Err(Failed::from(format!("the machine lacks {what}")));
        }
        Ok(Completion::ignored_with(format!(
            "the machine lacks {what}"
        )))
    }

    /// Runs a shell command in a folder with the program as `tokenkeep`.
    fn shell(home: &Path, command: &str) -> Output {
        let program = Path::new(env!("CARGO_BIN_EXE_tokenkeep"));
        let paths = format!(
            "{}:{}",
            program.parent().unwrap().display(),
            env::var("PATH").unwrap()
        );
        Command::new("sh")
            .args(["-c", command])
            .current_dir(home)
            .env_clear()
            .env("PATH", paths)
            .env("TERM", "xterm")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    fn text(bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).into_owned()
    }

    fn works(command: &str) -> bool {
        let home = TempDir::new().unwrap();
        shell(home.path(), command).status.success()
    }

    const TERMINAL: &str = "script -qec true /dev/null";

    fn asks() -> Ended {
        if !works(TERMINAL) {
            return lacking("`script`, which makes a terminal");
        }
        let home = TempDir::new().unwrap();
        for (answer, code, left) in [("n", 1, 1), ("", 1, 1), ("y", 0, 0)] {
            shell(home.path(), "tokenkeep create --user ada");
            let revoke = "tokenkeep revoke-tokens --user ada";
            let asked = format!("echo '{answer}' | script -qec '{revoke}' /dev/null");
            let asked = shell(home.path(), &asked);
            let said = text(&asked.stdout);
            assert!(said.contains("[y/N]"), "{said}");
            assert_eq!(asked.status.code(), Some(code), "{answer:?}: {said}");
            let list = shell(home.path(), "tokenkeep list --user ada --format json");
            let count = text(&list.stdout).lines().count();
            assert!(
                count >= left && (left > 0 || count == 0),
                "{answer:?}: {said}"
            );
        }
        Ok(Completion::Completed)
    }

    fn colours() -> Ended {
        if !works(TERMINAL) {
            return lacking("`script`, which makes a terminal");
        }
        let home = TempDir::new().unwrap();
        shell(home.path(), "tokenkeep create --user ada");
        let list = "tokenkeep list --user ada";
        let coloured = shell(home.path(), &format!("script -qec '{list}' /dev/null"));
        assert!(text(&coloured.stdout).contains("\x1b[1m"), "{coloured:?}");
        let plain = shell(
            home.path(),
            &format!("NO_COLOR=1 script -qec '{list}' /dev/null"),
        );
        let said = text(&plain.stdout);
        assert!(
            said.contains("ada") && !said.contains("\x1b[1m"),
            "{said:?}"
        );
        Ok(Completion::Completed)
    }

    /// As a user without rights, since root may write anywhere.
    fn read_only() -> Ended {
        let is_root = text(&shell(Path::new("/"), "id -u").stdout).trim() == "0";
        let wrapper = if is_root {
            "setpriv --reuid 65534 --clear-groups --"
        } else {
            ""
        };
        if !works(&format!("{wrapper} true")) {
            return lacking("`setpriv`, which runs a program as another user");
        }
        let home = TempDir::new().unwrap();
        let folder = home.path().join("folder");
        fs::create_dir(&folder).unwrap();
        // Where another user can run it, wherever the build is; by a process of its own, since a file
        // that this one writes may be open in a child of another test and cannot be run meanwhile.
        let copy = format!("cp '{}' tokenkeep", env!("CARGO_BIN_EXE_tokenkeep"));
        assert!(shell(home.path(), &copy).status.success());
        let program = home.path().join("tokenkeep");
        for path in [home.path(), folder.as_path(), program.as_path()] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o555)).unwrap();
        }
        for store in ["folder", "folder/new"] {
            for command in ["check", "demo", "create --user ada"] {
                let run = format!("{wrapper} ./tokenkeep {command} --store sled:{store}");
                let refused = shell(home.path(), &run);
                let said = text(&refused.stderr);
                assert_eq!(refused.status.code(), Some(2), "{run}: {said}");
                assert!(said.contains("folder"), "{run}: {said}");
                assert_eq!(said.lines().count(), 1, "{run}: {said}");
            }
        }
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Ok(Completion::Completed)
    }

    fn full_disk() -> Ended {
        // A mount of the test's own, which is gone with it.
        let mount = "unshare --map-root-user --mount sh -c 'mount -t tmpfs -o size=2m none .";
        if !works(&format!("{mount}'")) {
            return lacking("the right to mount a small disk of its own");
        }
        let home = TempDir::new().unwrap();
        let fill = format!(
            r#"{mount} && cd "$PWD" && data=$(head -c 60000 /dev/zero | tr "\0" x)
               for number in $(seq 200); do
                   tokenkeep create --user ada --data "$data" >/dev/null || exit $?
               done'"#
        );
        let ended = shell(home.path(), &fill);
        let said = text(&ended.stderr);
        assert_eq!(ended.status.code(), Some(3), "{said}");
        assert!(
            said.contains("error: sled") && said.contains("the disk is full"),
            "{said}"
        );
        assert!(!said.contains("panicked"), "{said}");
        Ok(Completion::Completed)
    }
}
