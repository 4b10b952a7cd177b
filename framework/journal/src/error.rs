//! What can go wrong, and who does what next.

use std::fmt;
use std::io;

use crate::Identity;

/// Why a journal cannot be opened or written.
#[derive(Debug)]
pub enum Error {
    /// Bytes that were durable are gone or changed. The node must not take part in quorums with what is left.
    Damaged {
        /// The file.
        file: String,
        /// Where in it.
        offset: u64,
        /// The protocol node whose record or checkpoint it is, if that can still be told.
        node: Option<u32>,
        /// What was found there, and between which good records.
        detail: String,
    },
    /// A file belongs to somebody else.
    WrongIdentity {
        /// The file.
        file: String,
        /// Who was to open it.
        expected: Identity,
        /// Whose it is.
        found: Identity,
    },
    /// A number that must never come again has come to its end.
    Exhausted {
        /// What it counts.
        what: &'static str,
    },
    /// Another program uses the directory.
    Locked {
        /// The directory.
        directory: String,
    },
    /// A file of a later release.
    NewerVersion {
        /// The file.
        file: String,
        /// Its version.
        version: u32,
    },
    /// The disk refused. After a failed write or sync nobody knows what is durable: nothing is tried again.
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        file: String,
        /// What the disk said.
        source: io::Error,
    },
    /// An earlier write failed.
    Poisoned,
}

impl Error {
    pub(crate) fn damaged(file: &str, offset: u64, detail: impl Into<String>) -> Self {
        Error::Damaged { file: file.to_owned(), offset, node: None, detail: detail.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Damaged { file, offset, node, detail } => {
                write!(f, "{file} is damaged at byte {offset}")?;
                if let Some(node) = node {
                    write!(f, " (node {node})")?;
                }
                write!(
                    f,
                    ": {detail}; keep the directory for inspection and bring this replica back with an empty one \
                     under a new incarnation"
                )
            }
            Error::WrongIdentity { file, expected, found } => write!(
                f,
                "{file} belongs to {found}, not to {expected}: start with the directory of {expected}, or with an \
                 empty one"
            ),
            Error::Exhausted { what } => write!(
                f,
                "{what} can grow no further: bring this replica back with an empty directory under a new incarnation"
            ),
            Error::Locked { directory } => {
                write!(f, "{directory} is in use by another program: stop that one, or choose another directory")
            }
            Error::NewerVersion { file, version } => write!(
                f,
                "{file} has format version {version}, this release reads up to {}: start the later release again",
                crate::format::VERSION
            ),
            Error::Io { action, file, source } => write!(
                f,
                "cannot {action} {file}: {source}; the process must stop, and be started again once the disk is well"
            ),
            Error::Poisoned => f.write_str(
                "an earlier write failed, so nobody knows what is durable: stop the process and start it again",
            ),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Io { source, .. } => Some(source),
            Error::Damaged { .. }
            | Error::WrongIdentity { .. }
            | Error::Exhausted { .. }
            | Error::Locked { .. }
            | Error::NewerVersion { .. }
            | Error::Poisoned => None,
        }
    }
}

/// Turns what the disk said into an [`Error`] that names action and file.
pub(crate) fn at<'a>(action: &'static str, file: &'a str) -> impl FnOnce(io::Error) -> Error + 'a {
    move |source| Error::Io { action, file: file.to_owned(), source }
}
