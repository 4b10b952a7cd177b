//! What of a client can be chosen.

use std::fmt;
use std::time::Duration;

/// What of a client can be chosen.
#[derive(Clone)]
pub struct Options {
    /// The client's number, below 2^63, that no other client uses; `None` draws one. A number that was used before
    /// begins again at its first command, which is answered as it was then.
    pub client: Option<u64>,
    /// What connections authenticate with.
    pub password: Option<Vec<u8>>,
    /// How long one node may take to answer before the next one is asked.
    pub attempt_max: Duration,
    /// How long a command is tried in all.
    pub patience: Duration,
    /// The first pause before a command is sent again; each later one is twice as long.
    pub pause_first: Duration,
    /// The longest pause. Of each pause a random part, up to a half, is left out.
    pub pause_max: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            client: None,
            password: None,
            attempt_max: Duration::from_secs(2),
            patience: Duration::from_secs(30),
            pause_first: Duration::from_millis(5),
            pause_max: Duration::from_millis(250),
        }
    }
}

// Not derived: the password is nobody's to print.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("client", &self.client)
            .field("has_password", &self.password.is_some())
            .field("attempt_max", &self.attempt_max)
            .field("patience", &self.patience)
            .field("pause_first", &self.pause_first)
            .field("pause_max", &self.pause_max)
            .finish()
    }
}
