//! Variables: what the holes and the named groups of a conversation have matched.

use std::collections::HashMap;
use std::sync::Arc;

use super::secrets::Secrets;

/// Named values, in the order in which they were bound. A name that is bound stays as it is.
///
/// A script owns those of its conversation: all connections of a file share them, and each client of a mock has its
/// own. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Variables(Arc<Bound>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Bound {
    values: Vec<(String, Vec<u8>)>,
    /// Where a name is in `values`.
    places: HashMap<String, usize>,
    /// Those values that are not shown.
    secrets: Secrets,
}

impl Variables {
    /// Secrets, bound.
    pub(crate) fn with_secrets(secrets: &Secrets) -> Self {
        let mut variables = Self(Arc::new(Bound { secrets: secrets.clone(), ..Bound::default() }));
        for secret in secrets.iter() {
            variables.bind(secret.name(), secret.value());
        }
        variables
    }

    pub(super) fn secrets(&self) -> &Secrets {
        &self.0.secrets
    }

    pub(super) fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.places.get(name).map(|&place| &self.0.values[place].1[..])
    }

    /// Binds a name, unless it is bound.
    pub(crate) fn bind(&mut self, name: &str, value: &[u8]) {
        if !self.0.places.contains_key(name) {
            let bound = Arc::make_mut(&mut self.0);
            bound.places.insert(name.to_owned(), bound.values.len());
            bound.values.push((name.to_owned(), value.to_owned()));
        }
    }

    /// Those of some names, and what is secret.
    pub(super) fn only<'n>(&self, names: impl IntoIterator<Item = &'n str>) -> Self {
        let mut some = Self(Arc::new(Bound { secrets: self.0.secrets.clone(), ..Bound::default() }));
        for name in names {
            if let Some(value) = self.get(name) {
                some.bind(name, value);
            }
        }
        some
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, &[u8])> + ExactSizeIterator {
        self.0.values.iter().map(|(name, value)| (&name[..], &value[..]))
    }
}

/// Whether a text can be the name of a variable.
pub(crate) fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Returns an error, the end of a sentence that starts with what it is the value of, if a hole cannot have this value.
pub(crate) fn check_value(value: &[u8]) -> Result<(), &'static str> {
    match value {
        [] => Err("is empty"),
        _ if memchr::memchr2(b'\r', b'\n', value).is_some() => Err("has a CR or LF"),
        _ => Ok(()),
    }
}
