//! Sessions on several connections.

use std::fs;
use std::process::Command;

use rustix::process::geteuid;

use super::{Server, free_port, open_folder, start_dovecot, start_redis};
use crate::support::programs::{is_missing, skipped};

#[test]
fn a_subscriber_of_redis_receives_what_another_client_publishes() {
    if let Some(redis) = start_redis() {
        redis.follows("redis-pubsub.chat");
    }
}

#[test]
fn dovecot_tells_an_idle_client_what_another_one_does() {
    if let Some(dovecot) = start_dovecot("imap", "") {
        dovecot.follows("imap-idle.chat");
    }
}

pub(super) fn start_ngircd() -> Option<Server> {
    if is_missing("ngircd") {
        return None;
    }
    let folder = open_folder();
    let port = free_port();
    let configuration = folder.path().join("ngircd.conf");
    let text = format!(
        "[Global]\nName = irc.example\nInfo = a test\nListen = 127.0.0.1\nPorts = {port}\nMotdPhrase = hello\n\
         [Limits]\nMaxConnectionsIP = 0\n[Options]\nDNS = no\nIdent = no\nPAM = no\n"
    );
    fs::write(&configuration, text).unwrap();
    let mut command = Command::new("ngircd");
    command.arg("-n").arg("-f").arg(configuration);
    Some(Server::start(&mut command, folder, port))
}

#[test]
fn clients_of_ngircd_meet_in_a_channel() {
    if let Some(ngircd) = start_ngircd() {
        ngircd.follows("irc.chat");
    }
}

/// vsftpd with one file, `hello.txt`; `None` if it cannot be started here.
pub(super) fn start_vsftpd() -> Option<Server> {
    if is_missing("vsftpd") {
        return None;
    }
    if !geteuid().is_root() {
        skipped("only root may start vsftpd");
        return None;
    }
    let folder = open_folder();
    let port = free_port();
    let (files, empty) = (folder.path().join("files"), folder.path().join("empty"));
    for directory in [&files, &empty] {
        fs::create_dir(directory).unwrap();
    }
    fs::write(files.join("hello.txt"), "first line\nsecond line\n").unwrap();
    let configuration = folder.path().join("vsftpd.conf");
    let text = format!(
        "listen=YES\nlisten_address=127.0.0.1\nlisten_port={port}\nbackground=NO\nanonymous_enable=YES\n\
         no_anon_password=YES\nanon_root={}\nsecure_chroot_dir={}\nseccomp_sandbox=NO\nxferlog_enable=NO\n",
        files.display(),
        empty.display()
    );
    fs::write(&configuration, text).unwrap();
    let mut command = Command::new("vsftpd");
    command.arg(configuration);
    Some(Server::start(&mut command, folder, port))
}

#[test]
fn vsftpd_names_the_ports_of_its_data_connections() {
    if let Some(vsftpd) = start_vsftpd() {
        vsftpd.follows("ftp.chat");
    }
}
