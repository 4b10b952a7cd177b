//! The rows of the table for what a session answers.

use crate::table::{
    ADMIN, CLUSTER, CONNECTION, CommandSpec, DANGEROUS, FAST, LOADING, NO_AUTH, NO_SCRIPT, Run, SERVER,
    STALE, SessionCommand, TRANSACTION,
};

const fn row(
    (name, arity): (&'static str, i32),
    flags: u32,
    command: SessionCommand,
    (since, summary): (&'static str, &'static str),
) -> CommandSpec {
    CommandSpec {
        name,
        arity,
        flags,
        keys: (0, 0, 0),
        counted: 0,
        run: Run::Session(command),
        since,
        summary,
    }
}

const PLAIN: u32 = CONNECTION | LOADING | STALE;
const QUICK: u32 = PLAIN | FAST;
const OPEN: u32 = QUICK | NO_AUTH | NO_SCRIPT;
const MULTI: u32 = TRANSACTION | LOADING | STALE | NO_SCRIPT;

pub(crate) static SESSION_COMMANDS: &[CommandSpec] = &[
    row(
        ("asking", 1),
        CONNECTION | FAST,
        SessionCommand::Asking,
        ("3.0.0", "Announces a redirected command."),
    ),
    row(("auth", -2), OPEN, SessionCommand::Auth, ("1.0.0", "Authenticates the connection.")),
    row(
        ("client", -2),
        PLAIN,
        SessionCommand::Client,
        ("2.4.0", "Tells and sets what is known of connections."),
    ),
    row(("cluster", -2), CLUSTER | STALE, SessionCommand::Cluster, ("3.0.0", "Tells which nodes there are.")),
    row(("command", -1), PLAIN, SessionCommand::Command, ("2.8.13", "Tells which commands there are.")),
    row(
        ("config", -2),
        SERVER | ADMIN | DANGEROUS | LOADING | STALE | NO_SCRIPT,
        SessionCommand::Config,
        ("2.0.0", "Tells how the server is configured."),
    ),
    row(("discard", 1), MULTI | FAST, SessionCommand::Discard, ("2.0.0", "Drops a transaction.")),
    row(("echo", 2), QUICK, SessionCommand::Echo, ("1.0.0", "Answers its argument.")),
    row(("exec", 1), MULTI, SessionCommand::Exec, ("1.2.0", "Runs a transaction.")),
    row(("hello", -1), OPEN, SessionCommand::Hello, ("6.0.0", "Chooses the protocol's version.")),
    row(
        ("info", -1),
        SERVER | DANGEROUS | LOADING | STALE,
        SessionCommand::Info,
        ("1.0.0", "Describes the server."),
    ),
    row(("multi", 1), MULTI | FAST, SessionCommand::Multi, ("1.2.0", "Begins a transaction.")),
    row(
        ("once", -4),
        CONNECTION,
        SessionCommand::Once,
        ("", "Runs a command exactly once: ONCE client sequence command …"),
    ),
    row(("ping", -1), QUICK, SessionCommand::Ping, ("1.0.0", "Answers PONG.")),
    row(("quit", -1), OPEN, SessionCommand::Quit, ("1.0.0", "Closes the connection.")),
    row(("readonly", 1), QUICK, SessionCommand::ReadOnly, ("3.0.0", "Accepted; every node answers reads.")),
    row(("readwrite", 1), QUICK, SessionCommand::ReadWrite, ("3.0.0", "Accepted; every node answers reads.")),
    row(("reset", 1), OPEN, SessionCommand::Reset, ("6.2.0", "Makes the connection as new.")),
    row(("select", 2), QUICK, SessionCommand::Select, ("1.0.0", "Accepts the one database, 0.")),
    row(
        ("synod", -2),
        SERVER | ADMIN | DANGEROUS | NO_SCRIPT,
        SessionCommand::Synod,
        ("", "Changes which group owns which slots, and tells how that was."),
    ),
    row(("unwatch", 1), MULTI | FAST, SessionCommand::Unwatch, ("2.2.0", "Forgets the watched keys.")),
    row(
        ("wait", 3),
        CONNECTION | NO_SCRIPT,
        SessionCommand::Wait,
        ("3.0.0", "Waits until writes are on a majority."),
    ),
    CommandSpec {
        keys: (1, -1, 1),
        ..row(
            ("watch", -2),
            MULTI | FAST,
            SessionCommand::Watch,
            ("2.2.0", "Lets the next EXEC run only if these keys stay as they are."),
        )
    },
];
