//! Who may attach events, as it is written.

use super::ConfigError;
use super::place::Place;
use crate::api::{Access, Token};
use serde::Deserialize;
use std::path::PathBuf;
use toml::Spanned;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ApiFile {
    token_env: Option<Spanned<String>>,
    token_file: Option<Spanned<PathBuf>>,
}

impl Place<'_> {
    pub(super) fn api(&self, file: &ApiFile) -> Result<Access, ConfigError> {
        let token = |text: &str| Token::new(text.trim()).map(Access::Token);
        match (&file.token_env, &file.token_file) {
            (None, None) => Ok(Access::Loopback),
            (Some(name), None) => {
                let text = (self.env)(name.as_ref());
                let unset = || {
                    self.error(
                        name,
                        "token_env",
                        format!("the environment has no `{}`: set it", name.as_ref()),
                    )
                };
                token(&text.ok_or_else(unset)?).map_err(|what| self.error(name, "token_env", what))
            }
            (None, Some(path)) => {
                let text = std::fs::read_to_string(path.as_ref());
                let text =
                    text.map_err(|e| self.error(path, "token_file", format!("cannot be read: {e}")))?;
                token(&text).map_err(|what| self.error(path, "token_file", what))
            }
            (Some(_), Some(path)) => {
                Err(self.error(path, "token_file", "write this or `token_env`, not both"))
            }
        }
    }
}
