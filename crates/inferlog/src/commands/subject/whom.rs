//! A person on a command line, or off it.

use std::io::Read;
use std::path::PathBuf;

use clap::Args;

use crate::output::Failure;

/// Longest value that names a person, bytes.
const VALUE_BYTES_MAX: u64 = 64 << 10;

/// A person, by the value that came in their requests.
#[derive(Args, Clone, Debug)]
pub(crate) struct Whom {
    /// The person, by the value that came in the request. Other users of this machine see it while the command runs, and a shell
    /// keeps it in its history: --subject-file keeps it out of both.
    #[arg(long, value_name = "VALUE", conflicts_with = "subject_file")]
    pub(crate) subject: Option<String>,
    /// A file that holds the value, one line; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) subject_file: Option<PathBuf>,
}

impl Whom {
    /// Whether a person is named.
    pub(crate) fn is_named(&self) -> bool {
        self.subject.is_some() || self.subject_file.is_some()
    }

    /// Whether the value is read from standard input, where nobody can be asked then.
    pub(crate) fn is_stdin(&self) -> bool {
        self.subject_file.as_ref().is_some_and(|path| path.as_os_str() == "-")
    }

    /// The value, if a person is named. A line's end after it is not part of it.
    pub(crate) fn value(&self) -> Result<Option<String>, Failure> {
        let Some(path) = &self.subject_file else { return Ok(self.subject.clone()) };
        let mut text = String::new();
        let mut read = || -> std::io::Result<u64> {
            let mut input: Box<dyn Read> = match self.is_stdin() {
                true => Box::new(std::io::stdin()),
                false => Box::new(std::fs::File::open(path)?),
            };
            Ok(input.by_ref().take(VALUE_BYTES_MAX + 1).read_to_string(&mut text)? as u64)
        };
        let failed = |what: &dyn std::fmt::Display| {
            Failure::new(format!("cannot read the person's value from {}: {what}", path.display()))
        };
        if read().map_err(|error| failed(&error))? > VALUE_BYTES_MAX {
            return Err(failed(&format!("it is longer than {VALUE_BYTES_MAX} bytes")));
        }
        let value = text.strip_suffix('\n').unwrap_or(&text);
        let value = value.strip_suffix('\r').unwrap_or(value);
        match value {
            "" => Err(failed(&"it is empty")),
            value if value.contains('\n') => Err(failed(&"it has more than one line: name one person")),
            value => Ok(Some(value.to_owned())),
        }
    }
}
