//! The README is true: its examples print what it says, and its tables name every option.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use capchat::status::Status;
use clap::CommandFactory;

use crate::support::programs::{is_missing, is_openbsd_nc_missing, path_with_capchat};
use crate::support::server::TestServer;

fn readme() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap()
}

/// The code blocks of a language.
fn blocks<'a>(readme: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    readme.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

/// Each command, and what it prints on both streams.
fn examples(block: &str) -> impl Iterator<Item = (&str, &str)> {
    block.split("$ ").skip(1).map(|example| example.split_once('\n').unwrap())
}

#[test]
fn examples_print_what_they_say() {
    let server = TestServer::start(&[]);
    let readme = readme();
    // Some examples create files that later ones use.
    let work = tempfile::tempdir().unwrap();
    let mut count = 0;
    for (command, expected) in blocks(&readme, "console").into_iter().flat_map(examples) {
        let peer = ["nc", "ncat", "socat"].into_iter().find(|peer| command.contains(&format!("| {peer} ")));
        if peer.is_some_and(|peer| if peer == "nc" { is_openbsd_nc_missing() } else { is_missing(peer) }) {
            continue;
        }
        // The server of this test is on another port.
        let port = server.port().to_string();
        let output = Command::new("sh")
            .args(["-c", &format!("exec 2>&1; {}", command.replace("5605", &port))])
            .env("PATH", path_with_capchat())
            .env("CAPCHAT_ADDRESS", server.address())
            .current_dir(work.path())
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected.replace("5605", &port), "{command}");
        count += 1;
    }
    assert!(count >= 5, "only {count} examples");
}

#[test]
fn the_python_example_prints_what_it_says() {
    if is_missing("python3") {
        return;
    }
    let server = TestServer::start(&[]);
    let readme = readme();
    let script = blocks(&readme, "python")[0];
    let output = Command::new("python3")
        .args(["-c", &script.replace("5605", &server.port().to_string())])
        .output()
        .unwrap();
    let expected: Vec<&str> = script.lines().filter_map(|line| Some(line.split_once("# ")?.1)).collect();
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().collect::<Vec<_>>(), expected);
}

#[test]
fn the_script_with_a_free_port_works() {
    let readme = readme();
    let script = blocks(&readme, "sh").into_iter().find(|script| script.contains("mkfifo")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let status = Command::new("sh")
        .args(["-euc", script])
        .current_dir(folder.path())
        .env("PATH", path_with_capchat())
        .env_remove("CAPCHAT_ADDRESS")
        .stderr(Stdio::null())
        .status();
    assert!(status.unwrap().success());
}

#[test]
fn every_exit_status_is_documented() {
    let page = |name: &str| {
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("man/{name}.1"))).unwrap()
    };
    let readme = readme();
    let table = readme.split("## Exit status").nth(1).unwrap().split("\n## ").next().unwrap();
    for status in Status::ALL {
        let number = status as u8;
        assert!(table.contains(&format!("| {number} |")), "{status:?} in the README");
        for name in ["capchat", "capchat-connect"] {
            assert!(page(name).contains(&format!(".It {number}\n")), "{status:?} in {name}(1)");
        }
    }
    for name in ["capchat", "capchat-serve", "capchat-connect"] {
        for section in ["EXIT STATUS", "ENVIRONMENT", "FILES", "EXAMPLES", "SEE ALSO"] {
            assert!(page(name).contains(&format!(".Sh {section}\n")), "{section} in {name}(1)");
        }
    }
}

#[test]
fn every_option_is_documented() {
    let readme = readme();
    let mut cli = capchat::cli::Cli::command();
    cli.build();
    for command in cli.get_subcommands() {
        let section = readme.split(&format!("`capchat {} [OPTIONS]", command.get_name())).nth(1).unwrap();
        let section = section.split("\n## ").next().unwrap();
        for option in command.get_arguments() {
            let names = option.get_long().map(|long| format!("--{long}"));
            for name in names.into_iter().chain(option.get_short().map(|short| format!("-{short}"))) {
                assert!(section.contains(&format!("`{name}")), "{name} of {}", command.get_name());
            }
        }
    }
}

#[test]
fn the_test_command_is_in_the_check_script() {
    let readme = readme();
    let check = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/check")).unwrap();
    let test_command =
        blocks(&readme, "sh").into_iter().find(|block| block.starts_with("cargo test")).unwrap();
    assert!(check.contains(&format!("check {test_command}")));
}

#[test]
fn the_pictures_are_up_to_date() {
    if is_missing("python3") {
        return;
    }
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    let status = Command::new(repository.join("scripts/picture"))
        .args([Path::new(env!("CARGO_BIN_EXE_capchat")), folder.path()])
        .env_remove("CAPCHAT_ADDRESS")
        .status();
    assert!(status.unwrap().success());
    for picture in ["chat.svg", "diff.svg"] {
        let committed = fs::read_to_string(repository.join("man/pictures").join(picture)).unwrap();
        let drawn = fs::read_to_string(folder.path().join(picture)).unwrap();
        assert!(drawn == committed, "{picture} is out of date: run scripts/picture");
    }
}
