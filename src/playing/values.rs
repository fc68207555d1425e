//! The values of variables from the command line, and secrets, whose values are not on it.

use std::collections::HashSet;
use std::str::FromStr;

use anyhow::Result;

use crate::status::Failure;
use crate::transcript::{Playable, Secrets, Variables, check_value, is_name};

const EXPECTED_NAME: &str = "expected a name of letters, digits and '_'";

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
            return Err(format!("{EXPECTED_NAME} before the '='"));
        }
        check_value(value.as_bytes()).map_err(|what| format!("the value {what}"))?;
        Ok(Self { name: name.to_owned(), value: value.to_owned() })
    }
}

/// The name of a secret, which is that of an environment variable too.
#[derive(Clone, Debug)]
pub(crate) struct SecretName(String);

impl SecretName {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SecretName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if is_name(text) { Ok(Self(text.to_owned())) } else { Err(EXPECTED_NAME.to_owned()) }
    }
}

/// All of them, each with a name of its own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Values {
    settings: Vec<Setting>,
    secrets: Secrets,
    /// Whether secrets are of use in a recording, even if no transcript has them.
    are_recorded: bool,
}

impl Values {
    /// Returns a usage failure if a name is set twice, or is also that of a secret.
    pub(crate) fn new(settings: Vec<Setting>, secrets: Secrets, are_recorded: bool) -> Result<Self> {
        let mut names = HashSet::new();
        if let Some(Setting { name, .. }) = settings.iter().find(|setting| !names.insert(&setting.name)) {
            return Err(Failure::usage(format_args!("'{name}' is set twice")));
        }
        if let Some(secret) = secrets.iter().find(|secret| names.contains(&secret.name().to_owned())) {
            let name = secret.name();
            return Err(Failure::usage(format_args!("'{name}' is given with both --set and --secret")));
        }
        Ok(Self { settings, secrets, are_recorded })
    }

    /// What is not shown.
    pub(crate) fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// What is bound when a conversation starts.
    pub(super) fn variables(&self) -> Variables {
        let mut variables = Variables::with_secrets(&self.secrets);
        for Setting { name, value } in &self.settings {
            variables.bind(name, value.as_bytes());
        }
        variables
    }

    /// Returns a usage failure if a value is set that no transcript uses.
    pub(crate) fn check_use(&self, transcripts: &[Playable]) -> Result<()> {
        let settings = self.settings.iter().map(|setting| ("--set", &setting.name[..]));
        let secrets = self.secrets.iter().filter(|_| !self.are_recorded);
        let mut all = settings.chain(secrets.map(|secret| ("--secret", secret.name())));
        match all.find(|(_, name)| !transcripts.iter().any(|playable| playable.uses(name))) {
            None => Ok(()),
            Some((option, name)) => {
                Err(Failure::usage(format_args!("{option} {name}: no transcript has a hole of this name")))
            }
        }
    }
}
