//! One transcript with samples for both sides: it checks a real server, an update leaves it as it is, and a mock server
//! that plays it satisfies the client that the real server satisfies too.

use std::process::Stdio;

use super::*;
use crate::support::programs::path_with_capchat;

fn chat(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/chats").join(name).to_str().unwrap().to_owned()
}

/// A Python program that gets the host and the port of its server as its arguments.
fn python(program: &str) -> Command {
    let mut command = Command::new("python3");
    command.args(["-c", &format!("import sys\nhost, port = sys.argv[1], int(sys.argv[2])\n{program}")]);
    command
}

/// Runs a client of the server at this address.
#[track_caller]
fn succeeds(mut client: Command, address: &str) -> String {
    let (host, port) = address.rsplit_once(':').unwrap();
    let output = client.args([host, port]).stdin(Stdio::null()).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{client:?}: {said}");
    said
}

/// A mock server that plays this file satisfies the client, and the client follows the file.
#[track_caller]
fn satisfies(name: &str, client: Command) {
    let mut mock = TestServer::start(&["--play", &chat(name), "--connections", "1"]);
    let said = succeeds(client, mock.address());
    assert_eq!(mock.wait().code(), Some(0), "{name}: {said}");
}

/// The file works for the real server and for the real client.
#[track_caller]
fn serves_both(server: &Server, name: &str, client: impl Fn() -> Command) {
    server.follows(name);
    server.leaves_unchanged(name);
    if is_missing("python3") {
        return;
    }
    succeeds(client(), &server.address);
    satisfies(name, client());
}

impl Server {
    /// An update of a recorded session has nothing to change.
    #[track_caller]
    fn leaves_unchanged(&self, name: &str) {
        let chats = Chats::with(fs::read(chat(name)).unwrap());
        let run = chats.update(&self.address, &["t.chat"]).run();
        run.reports(0, &["SAME t.chat\n0 updated, 1 unchanged, 0 failed\n"]);
    }
}

#[test]
fn memcached_and_a_client() {
    if is_missing("memcached") {
        return;
    }
    let port = free_port();
    let mut command = Command::new("memcached");
    command.args(["-l", "127.0.0.1", "-p", &port.to_string(), "-u", "nobody"]);
    let memcached = Server::start(&mut command, tempfile::tempdir().unwrap(), port);
    serves_both(&memcached, "memcached.chat", || {
        python(
            r#"
import socket
stream = socket.create_connection((host, port)).makefile("rwb")
def read():
    return stream.readline().decode().removesuffix("\r\n")
def ask(request):
    stream.write(request.encode())
    stream.flush()
    return read()
assert ask("set greeting 0 0 5\r\nhello\r\n") == "STORED"
number = ask("gets greeting\r\n").split()[4]
assert [read(), read()] == ["hello", "END"]
assert ask(f"cas greeting 0 0 5 {number}\r\nworld\r\n") == "STORED"
assert ask(f"cas greeting 0 0 5 {number}\r\nagain\r\n") == "EXISTS"
line = ask("stats\r\n")
while line != "END":
    assert line.startswith("STAT "), line
    line = read()
assert ask("quit\r\n") == ""
"#,
        )
    });
}

#[test]
fn beanstalkd_and_a_client() {
    if is_missing("beanstalkd") {
        return;
    }
    let port = free_port();
    let mut command = Command::new("beanstalkd");
    command.args(["-l", "127.0.0.1", "-p", &port.to_string()]);
    let beanstalkd = Server::start(&mut command, tempfile::tempdir().unwrap(), port);
    serves_both(&beanstalkd, "beanstalkd.chat", || {
        python(
            r#"
import socket
stream = socket.create_connection((host, port)).makefile("rwb")
def read():
    return stream.readline().decode().removesuffix("\r\n")
def ask(request):
    stream.write(f"{request}\r\n".encode())
    stream.flush()
    return read()
assert ask("use mail") == "USING mail"
assert ask("watch mail") == "WATCHING 2"
inserted, number = ask("put 0 0 60 5\r\nhello").split()
assert inserted == "INSERTED"
assert [ask("reserve"), read()] == [f"RESERVED {number} 5", "hello"]
ok, length = ask(f"stats-job {number}").split()
assert f"id: {number}\n" in stream.read(int(length)).decode()
assert read() == ""
assert ask(f"delete {number}") == "DELETED"
assert ask(f"delete {number}") == "NOT_FOUND"
assert ask("quit") == ""
"#,
        )
    });
}

#[test]
fn redis_and_its_client() {
    if is_missing("redis-server") || is_missing("redis-cli") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let mut command = Command::new("redis-server");
    command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--dir", "."]);
    command.args(["--requirepass", "secret"]);
    let redis = Server::start(&mut command, folder, port);
    let check = |settings: &[&str]| {
        let settings: Vec<_> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
        Run::check(&redis.address, &[&chat("redis-cli.chat")]).args(&settings).run()
    };
    check(&["password=secret", "length=6"]).reports(0, &["1 passed, 0 failed\n"]);
    check(&[]).reports(3, &["+S: -WRONGPASS ", "note: password = tanstaaf\n"]);
    let client = |address: &str, password: &str| {
        let (host, port) = address.rsplit_once(':').unwrap();
        let mut client = Command::new("redis-cli");
        client.args(["-h", host, "-p", port, "--no-auth-warning", "-a", password, "-r", "2", "client", "id"]);
        let output = client.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let number = client(&redis.address, "secret");
    assert!(number.trim_end().split_once('\n').is_some_and(|(one, two)| one == two), "{number}");
    for (password, settings) in
        [("tanstaaf", &[][..]), ("secret", &["--set", "password=secret", "--set", "length=6"])]
    {
        let path = chat("redis-cli.chat");
        let args = [&["--play", &path, "--connections", "1"], settings].concat();
        let mut mock = TestServer::start(&args);
        assert_eq!(client(mock.address(), password), "7\n7\n");
        assert_eq!(mock.wait().code(), Some(0));
    }
}

#[test]
fn dovecot_and_imaplib() {
    let Some(dovecot) = start_dovecot("imap", "") else { return };
    serves_both(&dovecot, "imaplib.chat", || {
        python(
            r#"
import imaplib
imap = imaplib.IMAP4(host, port)
imap.login("mrose", "tanstaaf")
assert imap.select("INBOX") == ("OK", [b"1"])
status, data = imap.fetch("1", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
assert (status, data[0][1]) == ("OK", b"Subject: dots\r\n\r\n"), data
assert imap.logout()[0] == "BYE"
"#,
        )
    });
}

#[test]
fn dovecot_and_poplib() {
    let Some(dovecot) = start_dovecot("pop3", "") else { return };
    serves_both(&dovecot, "poplib.chat", || {
        python(
            r#"
import poplib
pop3 = poplib.POP3(host, port)
pop3.user("mrose")
pop3.pass_("tanstaaf")
assert pop3.stat() == (1, 72)
assert pop3.list()[1] == [b"1 72"]
assert pop3.retr(1)[1][-2:] == [b".hidden", b"End."]
pop3.quit()
"#,
        )
    });
}

#[test]
fn a_digest_that_poplib_computes_is_checked() {
    if is_missing("python3") {
        return;
    }
    let client = "import poplib\npop3 = poplib.POP3(host, port)\npop3.apop('mrose', 'tanstaaf')\npop3.quit()";
    satisfies("apop.chat", python(client));
    let mut mock = TestServer::start(&["--play", &chat("apop.chat"), "--connections", "1"]);
    let (host, port) = mock.address().rsplit_once(':').unwrap();
    let output = python(&client.replace("tanstaaf", "wrong")).args([host, port]).output().unwrap();
    assert!(!output.status.success());
    assert_eq!(mock.wait().code(), Some(3));
}

#[test]
fn exim_and_smtplib() {
    let Some(exim) = start_exim("") else { return };
    serves_both(&exim, "smtplib.chat", || {
        python(
            r#"
import smtplib
smtp = smtplib.SMTP(host, port, local_hostname="bar.com")
smtp.ehlo_or_helo_if_needed()
smtp.esmtp_features.pop("size", None)
smtp.sendmail("smith@bar.com", ["jones@foo.com"], "Subject: dots\n\n.hidden\n")
smtp.quit()
"#,
        )
    });
}

#[test]
fn a_mail_of_any_client_is_taken() {
    if !is_missing("python3") {
        let client = "import smtplib\nsmtp = smtplib.SMTP(host, port)\n\
                      smtp.sendmail('smith@bar.com', ['jones@foo.com'], 'Subject: hi\\n\\n.one\\ntwo\\n')\nsmtp.quit()";
        satisfies("any-mail.chat", python(client));
    }
    if !is_missing("swaks") {
        let mut mock = TestServer::start(&["--play", &chat("any-mail.chat"), "--connections", "1"]);
        let mut swaks = Command::new("swaks");
        swaks.args(["--from", "smith@bar.com", "--to", "jones@foo.com", "--server", mock.address()]);
        let output = swaks.stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(mock.wait().code(), Some(0));
    }
}

/// The example of a page that contains this text, as it is shown.
fn manual_example(page: &str, text: &str) -> String {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("man").join(page)).unwrap();
    let mut blocks =
        page.split(".Bd -literal -offset indent\n").map(|rest| rest.split("\n.Ed").next().unwrap());
    let block = blocks.find(|block| block.contains(text)).unwrap();
    block.replace("\\&", "").replace("\\e", "\\") + "\n"
}

#[test]
fn a_prologue_logs_in_to_dovecot() {
    let Some(dovecot) = start_dovecot("pop3", "") else { return };
    let example = manual_example("capchat-connect.1", "--prologue");
    let (file, rest) = example.strip_prefix("$ cat login.chat\n").unwrap().split_once("$ ").unwrap();
    let mut lines = rest.split_inclusive('\n');
    let command: String = lines.by_ref().take(2).collect();
    let expected: String = lines.collect();
    let chats = Chats::new();
    chats.write("login.chat", file);
    let output = Command::new("sh")
        .args(["-c", &command.replace("mail.example.org pop3", &dovecot.address)])
        .env("PATH", path_with_capchat())
        .current_dir(chats.path("."))
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(String::from_utf8_lossy(&output.stdout).replace("\r\n", "\n"), expected, "{errors}");
}

#[test]
fn a_coprocess_logs_in_to_dovecot_with_apop() {
    if is_missing("bash") || is_missing("md5sum") {
        return;
    }
    let Some(dovecot) = start_dovecot("pop3", "auth_mechanisms = plain apop\n") else { return };
    let example = manual_example("capchat-transcript.5", "coproc ");
    let script = example.replace("mail.example.org pop3", &dovecot.address);
    let output = Command::new("timeout")
        .args(["30", "bash", "-euc"])
        .arg(format!("{script}echo QUIT >&\"${{COPROC[1]}}\"; cat <&\"${{COPROC[0]}}\""))
        .env("PATH", path_with_capchat())
        .env("PASSWORD", "tanstaaf")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(said, "+OK Logged in.\r\n+OK Logging out.\r\n", "{}", String::from_utf8_lossy(&output.stderr));
}
