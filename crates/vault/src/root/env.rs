//! A root key in an environment variable.

use zeroize::Zeroizing;

use super::{RootError, RootKey, RootStore};

/// An environment variable of this process. It can be read only: whoever started the process put it there, and an erasure
/// cannot destroy what it holds.
#[derive(Debug)]
pub struct EnvRoot {
    name: String,
}

impl EnvRoot {
    /// The variable `name`.
    pub fn new(name: String) -> Self {
        Self { name }
    }

    fn home(&self) -> String {
        format!("environment variable {}", self.name)
    }
}

impl RootStore for EnvRoot {
    fn get(&self) -> Result<RootKey, RootError> {
        let line = std::env::var(&self.name).map_err(|_| RootError::Missing { home: self.home() })?;
        RootKey::parse(&Zeroizing::new(line)).ok_or_else(|| RootError::Malformed { home: self.home() })
    }

    fn create(&self, _new: &RootKey) -> Result<RootKey, RootError> {
        self.get()
    }

    fn replace(&self, _new: &RootKey) -> Result<(), RootError> {
        let reason =
            format!("{} cannot be written from here; set a new one where it comes from", self.home());
        Err(RootError::NotReplaced { reason })
    }
}
