//! How a submitted command ended, and how a client is told.

use std::borrow::Cow;
use synod_resp::Reply;

/// How a submitted command ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It ran; this is its answer.
    Done(Reply),
    /// It did not run and never will: it is safe to send it again.
    DidNotHappen(Cow<'static, str>),
    /// It did not run because the cluster has no leader now.
    NoLeader(Cow<'static, str>),
    /// It may have run, may run later, or may never: its answer is lost. Only [`ONCE`](crate) makes a retry safe.
    MayHaveHappened(Cow<'static, str>),
}

impl Outcome {
    /// What the client gets. The code word tells the cases apart:
    ///
    /// | code | meaning |
    /// |---|---|
    /// | `TRYAGAIN` | did not happen; send it again |
    /// | `CLUSTERDOWN` | did not happen; there is no leader |
    /// | `MAYBE` | may have happened |
    pub fn into_reply(self) -> Reply {
        match self {
            Outcome::Done(reply) => reply,
            Outcome::DidNotHappen(reason) => {
                Reply::Error(format!("TRYAGAIN did not happen: {reason}").into())
            }
            Outcome::NoLeader(reason) => Reply::Error(format!("CLUSTERDOWN did not happen: {reason}").into()),
            Outcome::MayHaveHappened(reason) => {
                Reply::Error(format!("MAYBE may have happened: {reason}").into())
            }
        }
    }
}
