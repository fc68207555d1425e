//! The README is true: every command in it is run and prints what it says, and its facts hold. So do the examples in
//! the man pages.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use capchat::status::Status;
use tempfile::TempDir;

use crate::support::programs::{is_missing, path_with_capchat};
use crate::support::server::TestServer;
use crate::support::terminal::Terminal;

/// The address in the README. The servers of the tests have others.
const DEFAULT_ADDRESS: &str = "127.0.0.1:5605";

/// How each script begins. Those that build a release are run by `scripts/check`, the others here.
const SCRIPTS: [(&str, RunBy); 6] = [
    ("scripts/demo", RunBy::CheckScript),
    ("cargo test --locked", RunBy::CheckScript),
    ("scripts/install ", RunBy::Test),
    ("capchat serve --play ", RunBy::Test),
    ("capchat serve --forward ", RunBy::Test),
    ("my-server ", RunBy::Test),
];

#[derive(Clone, Copy, PartialEq)]
enum RunBy {
    CheckScript,
    Test,
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn readme() -> String {
    fs::read_to_string(repository().join("README.md")).unwrap()
}

/// Each code block, with its language.
fn blocks(text: &str) -> Vec<(&str, &str)> {
    let blocks = text.split("```").skip(1).step_by(2);
    blocks.map(|block| block.split_once('\n').unwrap()).collect()
}

fn blocks_in<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    blocks(text).into_iter().filter(|block| block.0 == language).map(|block| block.1).collect()
}

/// The script that begins like this.
fn script(start: &str) -> String {
    let readme = readme();
    let scripts = blocks_in(&readme, "sh");
    scripts.into_iter().find(|script| script.starts_with(start)).expect("a script").to_owned()
}

/// A directory in which a script of the README runs, with `bin` in its `PATH`.
struct Work(TempDir);

impl Work {
    fn new() -> Self {
        let work = tempfile::tempdir().unwrap();
        fs::create_dir(work.path().join("bin")).unwrap();
        Self(work)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Adds a program that the README only makes up.
    fn program(&self, name: &str, script: &str) {
        let path = self.path().join("bin").join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Runs a script with the default address `address`. Returns its status and what it printed.
    fn run(&self, script: &str, address: &str) -> (ExitStatus, String) {
        let output_path = self.path().join("output");
        // A file: a server that is left over would keep a pipe open.
        let output = fs::File::create(&output_path).unwrap();
        let path = format!("{}:{}", self.path().join("bin").display(), path_with_capchat().display());
        let status = Command::new("timeout")
            .args(["30", "sh", "-euc", &format!("trap 'kill $! 2> /dev/null || :' EXIT\n{script}")])
            .current_dir(self.path())
            .env("PATH", path)
            .env("CAPCHAT_ADDRESS", address)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(Stdio::null())
            .status();
        (status.unwrap(), fs::read_to_string(output_path).unwrap())
    }
}

#[test]
fn every_block_is_run() {
    let check = fs::read_to_string(repository().join("scripts/check")).unwrap();
    let readme = readme();
    for (language, block) in blocks(&readme) {
        match language {
            "console" => assert!(block.starts_with("$ "), "{block}"),
            "text" => {
                assert!(block.starts_with("$ capchat connect\n"), "a conversation at the prompt: {block}");
            }
            "sh" => {
                let script = SCRIPTS.into_iter().find(|(start, _)| block.starts_with(start));
                let (command, run_by) = script.unwrap_or_else(|| panic!("nothing runs this: {block}"));
                let is_checked = check.contains(&format!("\ncheck {command}\n"));
                assert!(run_by == RunBy::Test || is_checked && block.lines().count() == 1, "{block}");
            }
            _ => panic!("what is {language}?"),
        }
    }
}

#[test]
fn two_commands_set_everything_up() {
    let readme = readme();
    let top = readme.split("\n## ").next().unwrap();
    assert_eq!(blocks(top), [("sh", "scripts/demo\n"), ("sh", "cargo test --locked\n")]);
    let manifest = fs::read_to_string(repository().join("Cargo.toml")).unwrap();
    let version = manifest.split("rust-version = \"").nth(1).unwrap().split('"').next().unwrap();
    assert!(top.contains(&format!(" {version} or newer")), "Rust {version}");
}

#[test]
fn it_is_short() {
    assert!(readme().lines().count() <= 200);
}

/// Runs each command of an example with this server as the default, and compares what it prints on both streams.
#[track_caller]
fn prints_what_it_says(block: &str, server: &TestServer, directory: &Path) {
    for example in block.split("$ ").skip(1) {
        let (command, expected) = example.split_once('\n').unwrap();
        let output = Command::new("timeout")
            .args(["30", "sh", "-c", &format!("exec 2>&1; {command}")])
            .env("PATH", path_with_capchat())
            .env("CAPCHAT_ADDRESS", server.address())
            .current_dir(directory)
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&output.stdout).replace(server.address(), DEFAULT_ADDRESS);
        assert_eq!(printed, expected, "{command}");
    }
}

#[test]
fn examples_print_what_they_say() {
    let server = TestServer::start(&[]);
    // Some examples create files that later ones use.
    let work = tempfile::tempdir().unwrap();
    let readme = readme();
    let examples = blocks_in(&readme, "console");
    assert!(examples.len() >= 2);
    for block in examples {
        prints_what_it_says(block, &server, work.path());
    }
}

/// The examples of a man page, as they are shown.
fn manual_examples(page: &str) -> Vec<String> {
    let page = fs::read_to_string(repository().join("man").join(page)).unwrap();
    let section = page.split(".Sh EXAMPLES\n").nth(1).unwrap().split("\n.Sh ").next().unwrap();
    let blocks = section.split(".Bd -literal -offset indent\n").skip(1);
    blocks.map(|block| block.split("\n.Ed").next().unwrap().replace("\\e", "\\") + "\n").collect()
}

#[test]
fn examples_in_the_manual_print_what_they_say() {
    let server = TestServer::start(&[]);
    let work = tempfile::tempdir().unwrap();
    let pages = ["capchat.1", "capchat-connect.1"];
    let examples: Vec<_> = pages.into_iter().flat_map(manual_examples).collect();
    let is_run = |block: &&String| block.starts_with("$ echo ");
    assert_eq!(examples.iter().filter(is_run).count(), 3);
    for block in examples.iter().filter(is_run) {
        prints_what_it_says(block, &server, work.path());
    }
}

#[test]
fn the_example_with_a_free_port_works() {
    let examples = manual_examples("capchat-serve.1");
    let script = examples.iter().find(|script| script.contains("mkfifo")).unwrap();
    let (status, output) = Work::new().run(script, "");
    assert!(status.success(), "{output}");
    assert_eq!(output, "HI\n");
}

#[test]
fn the_quick_start_prints_what_its_comments_say() {
    let script = script("scripts/install ");
    let (install, rest) = script.split_once('\n').unwrap();
    // `install` tests that one: it would build a release.
    assert_eq!(install.split_once('#').unwrap().0.trim_end(), "scripts/install");
    assert_eq!(script.lines().count(), 5);
    let address = "unix:quick.socket";
    let (status, output) = Work::new().run(rest, address);
    assert!(status.success(), "{output}");
    let comments = rest.lines().filter_map(|line| Some(line.split_once("# ")?.1));
    let expected: Vec<_> = comments.chain(["1 passed, 0 failed"]).collect();
    assert_eq!(output.replace(address, DEFAULT_ADDRESS).lines().collect::<Vec<_>>(), expected);
}

#[test]
fn the_conversation_at_the_prompt_looks_like_that() {
    let readme = readme();
    let block = blocks_in(&readme, "text")[0].split_once('\n').unwrap().1;
    let server = TestServer::start(&[]);
    let mut terminal = Terminal::connect(server.address()).start();
    let prompt = "enter your message: ";
    for (count, typed) in block.lines().filter_map(|line| line.strip_prefix(prompt)).enumerate() {
        terminal.wait_until("the next prompt", |screen| {
            screen.matches(prompt).count() == count + 1 && screen.ends_with(&format!("{prompt}▏"))
        });
        terminal.type_keys(format!("{typed}\r"));
    }
    let screen = terminal.expect_exit(0).replace(server.address(), DEFAULT_ADDRESS).replace('▏', "");
    // `prompt` tests the notice.
    let without_notice = |text: &str| -> Vec<String> {
        text.lines().filter(|line| !line.starts_with("capchat: connected")).map(str::to_owned).collect()
    };
    assert_eq!(without_notice(screen.trim_end()), without_notice(block.trim_end()));
}

#[test]
fn the_mock_server_tells_good_programs_from_bad_ones() {
    let address = "unix:mock.socket";
    let script = script("capchat serve --play ").replace("localhost:2525", address).replace("2525", address);
    let chat = fs::read(repository().join("tests/chats/rfc5321-d1.chat")).unwrap();
    for (mailer, status) in [
        ("capchat check --retry 10s -a \"$2\" smtp.chat", 0),
        ("echo HELP | capchat connect --retry 10s -C \"$2\"", 3),
    ] {
        let work = Work::new();
        fs::write(work.path().join("smtp.chat"), &chat).unwrap();
        work.program("my-mailer", mailer);
        let (exit, output) = work.run(&script, address);
        assert_eq!(exit.code(), Some(status), "{mailer}: {output}");
    }
}

#[test]
fn the_forwarder_records_a_program() {
    let (server, address) = (TestServer::start(&[]), "unix:forwarder.socket");
    let script = script("capchat serve --forward ");
    let script = script.replace("localhost:2525", address).replace("2525", address);
    let script = script.replace("localhost:smtp", server.address());
    let work = Work::new();
    work.program(
        "my-mailer",
        "printf 'hi\\nCLOSE SOCKET\\n' | capchat connect --retry 10s --lockstep \"$2\"",
    );
    let (exit, output) = work.run(&script, address);
    assert!(exit.success(), "{output}");
    let mut sessions = fs::read_dir(work.path().join("sessions")).unwrap();
    let session = fs::read_to_string(sessions.next().unwrap().unwrap().path()).unwrap();
    assert_eq!(session, "C: hi\nS: HI\nC: CLOSE SOCKET\nS EOF\n");
}

#[test]
fn the_ci_example_waits_for_the_server_and_writes_results() {
    let address = "unix:ci.socket";
    let script = script("my-server ").replace(":7000", address).replace("7000", address);
    let work = Work::new();
    work.program("my-server", "sleep 0.3; exec capchat serve -q \"$2\"");
    fs::create_dir_all(work.path().join("tests/chats")).unwrap();
    fs::write(work.path().join("tests/chats/hello.chat"), "C: hello\nS: HELLO\n").unwrap();
    let (status, output) = work.run(&script, address);
    let results = fs::read_to_string(work.path().join("results.xml")).unwrap();
    assert!(status.success(), "{output}{results}");
    assert!(results.contains("tests=\"1\" failures=\"0\""), "{results}");
}

#[test]
fn every_exit_status_is_documented() {
    let readme = readme();
    let table = readme.split("## Exit status").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    let documented: Vec<&str> = rows.flat_map(|cell| cell.split(", ")).skip(1).collect();
    let all = Status::ALL.map(|status| (status as u8).to_string());
    assert_eq!(documented, all);
}

#[test]
fn the_picture_is_up_to_date() {
    if is_missing("python3") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let status = Command::new(repository().join("scripts/picture"))
        .args([Path::new(env!("CARGO_BIN_EXE_capchat")), directory.path()])
        .env_remove("CAPCHAT_ADDRESS")
        .status();
    assert!(status.unwrap().success());
    let committed = fs::read_to_string(repository().join("man/pictures/check.svg")).unwrap();
    let drawn = fs::read_to_string(directory.path().join("check.svg")).unwrap();
    assert!(drawn == committed, "check.svg is out of date: run scripts/picture");
}

#[test]
fn the_charts_name_their_rows_as_the_tables_do() {
    let tables = fs::read_to_string(repository().join("benches/README.md")).unwrap();
    for name in ["speed.svg", "speed-small.svg"] {
        let chart = fs::read_to_string(repository().join("man/pictures").join(name)).unwrap();
        let labels = chart.split("text-anchor=\"end\">").skip(1).map(|rest| rest.split('<').next().unwrap());
        for label in labels {
            assert!(tables.contains(&format!("\n| {label} ")), "{label} of {name}");
        }
    }
}

#[test]
fn links_lead_somewhere() {
    for name in ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "benches/README.md"] {
        let path = repository().join(name);
        let text = fs::read_to_string(&path).unwrap();
        for target in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            let is_elsewhere = target.starts_with("https://");
            assert!(is_elsewhere || path.parent().unwrap().join(target).exists(), "{target} in {name}");
        }
    }
}

#[test]
fn the_coprocess_in_the_manual_logs_in() {
    if is_missing("bash") || is_missing("md5sum") {
        return;
    }
    let examples = manual_examples("capchat-transcript.5");
    let script = examples.iter().find(|script| script.starts_with("coproc ")).unwrap();
    let work = tempfile::tempdir().unwrap();
    let chat = "%eol crlf\nS: +OK ready <1896.697170952@dbc.mtview.ca.us>\n\
                C: APOP mrose c4c9334bac560ecc979e58001b3e22fb\nS: +OK 2 messages\nS EOF\n";
    fs::write(work.path().join("apop.chat"), chat).unwrap();
    let path = work.path().join("apop.chat");
    let mut mock = TestServer::start(&["--play", path.to_str().unwrap(), "--connections", "1"]);
    let script = script.replace("mail.example.org pop3", mock.address());
    let output = Command::new("timeout")
        .args(["30", "bash", "-euc", &format!("{script}cat <&\"${{COPROC[0]}}\"")])
        .env("PATH", path_with_capchat())
        .env("PASSWORD", "tanstaaf")
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "+OK 2 messages\r\n", "{errors}");
    assert_eq!(mock.wait().code(), Some(0));
}
