//! A directory of transcripts, and clients that run in it.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::run::Run;

/// A directory of transcripts, removed when it is dropped.
pub(crate) struct Chats(TempDir);

impl Chats {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A directory with one file, `t.chat`.
    pub(crate) fn with(text: impl AsRef<[u8]>) -> Self {
        let chats = Self::new();
        chats.write("t.chat", text);
        chats
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    #[track_caller]
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[track_caller]
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// The entries of the directory, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// [`Run::connect`], in the directory.
    pub(crate) fn connect(&self, address: &str) -> Run {
        Run::connect(address).current_dir(self.0.path())
    }

    /// [`Run::check`], in the directory.
    pub(crate) fn check(&self, address: &str, files: &[&str]) -> Run {
        Run::check(address, files).current_dir(self.0.path())
    }

    /// [`Run::update`], in the directory.
    pub(crate) fn update(&self, address: &str, files: &[&str]) -> Run {
        Run::update(address, files).current_dir(self.0.path())
    }

    /// The server at `address` follows `t.chat`.
    #[track_caller]
    pub(crate) fn passes(&self, address: &str) {
        self.check(address, &["t.chat"]).run().succeeds_with("PASS t.chat\n1 passed, 0 failed\n");
    }
}
