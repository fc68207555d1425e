//! The values of variables from the command line.

use std::collections::HashSet;
use std::str::FromStr;

use anyhow::Result;

use crate::status::Failure;
use crate::transcript::{Playable, Variables, check_value, is_name};

/// One value: `NAME=VALUE`.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    name: String,
    value: String,
}

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
        if !is_name(name) {
            return Err("expected a name of letters, digits and '_' before the '='".to_owned());
        }
        check_value(value.as_bytes()).map_err(|what| format!("the value {what}"))?;
        Ok(Self { name: name.to_owned(), value: value.to_owned() })
    }
}

/// All of them, each with a name of its own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Values {
    settings: Vec<Setting>,
}

impl Values {
    /// Returns a usage failure if a name is set twice.
    pub(crate) fn new(settings: Vec<Setting>) -> Result<Self> {
        let mut names = HashSet::new();
        if let Some(Setting { name, .. }) = settings.iter().find(|setting| !names.insert(&setting.name)) {
            return Err(Failure::usage(format_args!("'{name}' is set twice")));
        }
        Ok(Self { settings })
    }

    /// What is bound when a conversation starts.
    pub(super) fn variables(&self) -> Variables {
        let mut variables = Variables::default();
        for Setting { name, value } in &self.settings {
            variables.bind(name, value.as_bytes());
        }
        variables
    }

    /// Returns a usage failure if a value is set that no transcript uses.
    pub(crate) fn check_use(&self, transcripts: &[Playable]) -> Result<()> {
        let is_used = |name: &str| transcripts.iter().any(|playable| playable.uses(name));
        match self.settings.iter().find(|setting| !is_used(&setting.name)) {
            None => Ok(()),
            Some(Setting { name, .. }) => {
                Err(Failure::usage(format_args!("--set {name}: no transcript has a hole of this name")))
            }
        }
    }
}
