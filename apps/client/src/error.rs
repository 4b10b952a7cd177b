//! Why there is no answer, and whether the command happened.

use std::fmt;
use synod_resp::Reply;

/// Why a command has no answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Error {
    /// A client needs the address of at least one node.
    NoAddress,
    /// The command did not run and never will: send it again, later. In words, what stood in the way.
    DidNotHappen(String),
    /// The command may have run, may run later, or may never: read the state before you go on. In words, why.
    MayHaveHappened(String),
    /// The command ran, but its answer is no longer kept: another client uses the same number.
    AnswerIsGone,
    /// The store answered this error. The command changed nothing; to send it again would end the same.
    Refused(String),
    /// The answer is of a kind that the command does not have. The command ran.
    Unexpected(Reply),
}

impl Error {
    /// Whether the command certainly had no effect and never will have one.
    pub fn did_not_happen(&self) -> bool {
        match self {
            Error::NoAddress | Error::DidNotHappen(_) | Error::Refused(_) => true,
            Error::MayHaveHappened(_) | Error::AnswerIsGone | Error::Unexpected(_) => false,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NoAddress => f.write_str("give the address of at least one node"),
            Error::DidNotHappen(why) => write!(f, "did not happen: {why}"),
            Error::MayHaveHappened(why) => write!(f, "may have happened: {why}"),
            Error::AnswerIsGone => f.write_str(
                "happened, but the answer is no longer kept: give each client a number of its own",
            ),
            Error::Refused(words) => f.write_str(words),
            Error::Unexpected(reply) => write!(f, "the store answered {reply:?}, which the command cannot"),
        }
    }
}

impl std::error::Error for Error {}
