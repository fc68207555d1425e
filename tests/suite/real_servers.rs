//! The sessions in `tests/chats` that were recorded with real servers, checked against those servers. A test is
//! skipped if its server is not installed.

mod clients;
mod forwarded;
mod several_clients;

use std::fs::{self, File, Permissions};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, geteuid, getgid, getuid, kill_process_group};
use tempfile::TempDir;

use crate::support::chats::Chats;
use crate::support::programs::{is_missing, skipped};
use crate::support::run::Run;
use crate::support::server::TestServer;
use crate::support::wait::eventually;

/// A server with all its files in a temporary directory, killed with its children when it is dropped.
struct Server {
    child: Child,
    address: String,
    // Removed after the server is killed.
    _folder: TempDir,
}

impl Server {
    /// Starts a server that stays in the foreground, and waits until it listens on this port.
    #[track_caller]
    fn start(command: &mut Command, folder: TempDir, port: u16) -> Self {
        let output_path = folder.path().join("output");
        let output = File::create(&output_path).unwrap();
        let child = command
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .process_group(0)
            .spawn()
            .unwrap();
        let mut server = Self { child, address: format!("127.0.0.1:{port}"), _folder: folder };
        eventually("the server listens", || {
            if let Some(status) = server.child.try_wait().unwrap() {
                let output = fs::read(&output_path).unwrap();
                panic!("the server exited with {status}; its output:\n{}", String::from_utf8_lossy(&output));
            }
            TcpStream::connect(&server.address).ok()
        });
        server
    }

    /// The server follows a recorded session.
    #[track_caller]
    fn follows(&self, name: &str) {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/chats").join(name);
        Run::check(&self.address, &[file.to_str().unwrap()]).run().reports(0, &["1 passed, 0 failed\n"]);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
    }
}

/// A free port of the loopback interface.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A directory that a server's own users can enter.
fn open_folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
    folder
}

/// The name of this process's user (`-un`) or group (`-gn`).
fn own_name(option: &str) -> String {
    let output = Command::new("id").arg(option).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

fn start_redis() -> Option<Server> {
    if is_missing("redis-server") {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let mut command = Command::new("redis-server");
    command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--dir", "."]);
    Some(Server::start(&mut command, folder, port))
}

#[test]
fn redis_answers_as_recorded() {
    if let Some(redis) = start_redis() {
        redis.follows("redis.chat");
    }
}

/// Looks up no names, contacts no hosts, and keeps what it accepts in its queue.
fn exim_configuration(folder: &Path, port: u16, options: &str) -> String {
    let folder = folder.display();
    format!(
        "\
primary_hostname = mail.example
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
spool_directory = {folder}/spool
log_file_path = {folder}/spool/%slog
pid_file_path = {folder}/spool/pid
notifier_socket =
keep_environment =
tls_advertise_hosts =
rfc1413_query_timeout = 0s
queue_only
{options}
acl_smtp_rcpt = recipient
acl_smtp_data = message

begin acl
connection:
  accept delay = 1s
recipient:
  accept domains = foo.com
         local_parts = jones : brown
  deny message = No such user here
message:
  accept
"
    )
}

/// Exim with these additional options; `None` if it cannot be started here.
fn start_exim(options: &str) -> Option<Server> {
    if is_missing("exim4") {
        return None;
    }
    if !geteuid().is_root() {
        skipped("only root may start exim4 as a server");
        return None;
    }
    let folder = open_folder();
    let port = free_port();
    let configuration = folder.path().join("exim.conf");
    fs::write(&configuration, exim_configuration(folder.path(), port, options)).unwrap();
    // Exim writes here as its own user, whose name differs between systems.
    let spool = folder.path().join("spool");
    fs::create_dir(&spool).unwrap();
    fs::set_permissions(&spool, Permissions::from_mode(0o777)).unwrap();
    let mut command = Command::new("exim4");
    command.arg("-C").arg(configuration).arg("-bdf");
    Some(Server::start(&mut command, folder, port))
}

#[test]
fn exim_answers_as_recorded() {
    if let Some(exim) = start_exim("") {
        exim.follows("smtp.chat");
    }
}

const MAIL: &str = "Subject: hello\n\nHi there.\n.. two dots\n";

/// A mail by hand: its second dot is for SMTP, RFC 5321 section 4.5.2.
const MAIL_SESSION: &str = "EHLO bar.com\nMAIL FROM:<smith@bar.com>\nRCPT TO:<jones@foo.com>\nDATA\n\
                            Subject: hello\n\nHi there.\n... two dots\n.\nQUIT\n";

#[test]
fn a_recorded_mail_to_a_slow_exim_can_be_played_to_mail_clients() {
    // Greets after a second, and refuses clients that do not wait for it.
    let slow = "acl_smtp_connect = connection\npipelining_connect_advertise_hosts =";
    let Some(exim) = start_exim(slow) else { return };
    let chats = Chats::new();
    let connect = |args: &[&str]| {
        let args = [&["--crlf", "--lockstep"], args].concat();
        chats.connect(&exim.address).args(&args).stdin(MAIL_SESSION).run()
    };
    // Exim does insist.
    let run = connect(&[]);
    assert!(run.report().starts_with("554 SMTP synchronization error"), "{}", run.report());
    let run = connect(&["--greeting", "--gap", "800ms", "--record", "mail.chat"]);
    assert_eq!((run.0.status.code(), run.errors()), (Some(0), String::new()));

    let recording = chats.read("mail.chat");
    let without_text = |line: &str| match line {
        line if line.starts_with("S: ") => line[..6].to_owned(),
        line => line.to_owned(),
    };
    let mut lines: Vec<String> = recording.lines().map(without_text).collect();
    lines.dedup();
    let expected = "%eol crlf|S: 220|C: EHLO bar.com|S: 250|C: MAIL FROM:<smith@bar.com>|S: 250|\
                    C: RCPT TO:<jones@foo.com>|S: 250|C: DATA|S: 354|C: Subject: hello|C:|C: Hi there.|\
                    C: ... two dots|C: .|S: 250|C: QUIT|S: 221|S EOF";
    assert_eq!(lines.join("|"), expected, "{recording}");

    let path = chats.path("mail.chat").display().to_string();
    chats.write("mail.txt", MAIL);
    let play = |mut client: Command, address: fn(&TestServer) -> Vec<String>| {
        let mut mock = TestServer::start(&["--play", &path, "--connections", "1"]);
        let mail = File::open(chats.path("mail.txt")).unwrap();
        let output = client.args(address(&mock)).stdin(mail).output().unwrap();
        let said =
            [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
        assert!(output.status.success(), "{client:?}: {said}\n{recording}");
        assert_eq!(mock.wait().code(), Some(0), "{client:?}: {said}\n{recording}");
    };
    if !is_missing("curl") {
        let mut curl = Command::new("curl");
        // From standard input, so that curl does not know the size, which it would announce.
        curl.args(["--silent", "--show-error", "--crlf", "--upload-file", "-"]);
        curl.args(["--mail-from", "smith@bar.com", "--mail-rcpt", "jones@foo.com"]);
        play(curl, |mock| vec![format!("smtp://{}/bar.com", mock.address())]);
    }
    if !is_missing("swaks") {
        let mut swaks = Command::new("swaks");
        swaks.args(["--ehlo", "bar.com", "--from", "smith@bar.com", "--to", "jones@foo.com"]);
        // swaks adds the last line's ending.
        swaks.args(["--data", MAIL.trim_end()]);
        play(swaks, |mock| vec!["--server".to_owned(), mock.address().to_owned()]);
    }
}

/// The owner of the mailbox if root runs the tests, nobody and nogroup: Dovecot refuses mailboxes of root.
const NOBODY: u32 = 65_534;

/// One user with one mailbox, passwords in plain text, and no delay after a wrong one.
fn dovecot_configuration(folder: &Path, protocol: &str, port: u16, options: &str) -> String {
    let folder = folder.display();
    // Only root can run Dovecot's processes as separate users.
    let (user, group, users) = if geteuid().is_root() {
        (NOBODY, NOBODY, String::new())
    } else {
        let (user, group) = (own_name("-un"), own_name("-gn"));
        let users = format!(
            "default_internal_user = {user}\ndefault_internal_group = {group}\ndefault_login_user = {user}\n"
        );
        (getuid().as_raw(), getgid().as_raw(), users)
    };
    format!(
        "\
protocols = {protocol}
listen = 127.0.0.1
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/output
ssl = no
disable_plaintext_auth = no
auth_failure_delay = 0
first_valid_uid = 1
mail_location = maildir:{folder}/mail
passdb {{
  driver = passwd-file
  args = {folder}/users
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={folder}/mail
}}
service {protocol}-login {{
  chroot =
  inet_listener {protocol} {{
    port = {port}
  }}
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
{users}{options}"
    )
}

/// Whether Dovecot cannot read the configuration above, as version 2.4 cannot. If so, says that the test is skipped.
fn is_dovecot_missing() -> bool {
    if is_missing("dovecot") {
        return true;
    }
    let version = Command::new("dovecot").arg("--version").output().unwrap();
    let is_missing = !version.stdout.starts_with(b"2.3.");
    if is_missing {
        skipped("dovecot is not version 2.3");
    }
    is_missing
}

/// Dovecot with one protocol and these additional options; `None` if it cannot be started here.
fn start_dovecot(protocol: &str, options: &str) -> Option<Server> {
    if is_dovecot_missing() {
        return None;
    }
    if !Path::new(&format!("/usr/lib/dovecot/{protocol}-login")).exists() {
        skipped(format_args!("no dovecot-{protocol}d"));
        return None;
    }
    let folder = open_folder();
    let port = free_port();
    let mail = folder.path().join("mail");
    let message = "From: smith@bar.com\nTo: jones@foo.com\nSubject: dots\n\n.hidden\nEnd.\n";
    for part in ["cur", "new", "tmp"] {
        fs::create_dir_all(mail.join(part)).unwrap();
    }
    fs::write(mail.join("new/1.message"), message).unwrap();
    if geteuid().is_root() {
        for part in ["", "cur", "new", "tmp", "new/1.message"] {
            chown(mail.join(part), Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }
    fs::write(folder.path().join("users"), "mrose:{PLAIN}tanstaaf\n").unwrap();
    let configuration = folder.path().join("dovecot.conf");
    let text = dovecot_configuration(folder.path(), protocol, port, options);
    fs::write(&configuration, text).unwrap();
    let mut command = Command::new("dovecot");
    command.arg("-F").arg("-c").arg(configuration);
    Some(Server::start(&mut command, folder, port))
}

#[test]
fn dovecot_answers_as_recorded() {
    if let Some(dovecot) = start_dovecot("pop3", "") {
        dovecot.follows("pop3.chat");
    }
}
