//! `HELLO`, `AUTH`, `RESET`.

use super::{Action, Session, admin};
use crate::Environment;
use crate::parse::SYNTAX;
use synod_resp::{Args, Protocol, Reply, parse_integer};

/// The version of Redis whose commands this speaks: clients choose by it what they send.
pub(super) const REDIS_VERSION: &str = "7.2.0";

const WRONG_PASSWORD: Reply = Reply::error("WRONGPASS invalid username-password pair or user is disabled.");

impl Session {
    pub(super) fn authenticate(&mut self, args: Args<'_>, environment: &Environment<'_>) -> Action {
        match args.len() {
            2 if environment.settings.password.is_none() => Action::Reply(Reply::error(
                "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?",
            )),
            2 => self.check_password(b"default", &args[1], environment).unwrap_or(Action::Reply(Reply::OK)),
            3 => self.check_password(&args[1], &args[2], environment).unwrap_or(Action::Reply(Reply::OK)),
            _ => Action::Reply(SYNTAX),
        }
    }

    /// Authenticates, or says what to answer.
    fn check_password(
        &mut self,
        user: &[u8],
        password: &[u8],
        environment: &Environment<'_>,
    ) -> Option<Action> {
        let is_right = environment.settings.password.as_ref().is_none_or(|right| right.is(password));
        if user != b"default" || !is_right {
            return Some(Action::ReplyLater(WRONG_PASSWORD));
        }
        self.is_authenticated = true;
        None
    }

    pub(super) fn greet(&mut self, args: Args<'_>, environment: &Environment<'_>) -> Action {
        let mut protocol = self.protocol;
        if let Some(version) = args.get(1) {
            protocol = match parse_integer(version) {
                None => {
                    return Action::Reply(Reply::error(
                        "ERR Protocol version is not an integer or out of range",
                    ));
                }
                Some(2) => Protocol::Resp2,
                Some(3) => Protocol::Resp3,
                Some(_) => return Action::Reply(Reply::error("NOPROTO unsupported protocol version")),
            };
        }
        let (mut credentials, mut name, mut at) = (None, None, 2);
        while let Some(option) = args.get(at) {
            let left = args.len() - at - 1;
            if option.eq_ignore_ascii_case(b"auth") && left >= 2 {
                credentials = Some((&args[at + 1], &args[at + 2]));
                at += 3;
            } else if option.eq_ignore_ascii_case(b"setname") && left >= 1 {
                name = Some(&args[at + 1]);
                at += 2;
            } else {
                let option = String::from_utf8_lossy(option);
                return Action::Reply(Reply::Error(
                    format!("ERR Syntax error in HELLO option '{option}'").into(),
                ));
            }
        }
        if let Some((user, password)) = credentials
            && let Some(refusal) = self.check_password(user, password, environment)
        {
            return refusal;
        }
        if !self.is_authenticated {
            return Action::Reply(Reply::error(
                "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time",
            ));
        }
        if let Some(name) = name {
            if !admin::is_valid_name(name) {
                return Action::Reply(admin::INVALID_NAME);
            }
            self.name = name.to_vec();
        }
        self.protocol = protocol;
        Action::Reply(self.greeting())
    }

    fn greeting(&self) -> Reply {
        let version = if self.protocol == Protocol::Resp3 { 3 } else { 2 };
        let pairs = [
            ("server", Reply::bulk("redis")),
            ("version", Reply::bulk(REDIS_VERSION)),
            ("proto", Reply::Integer(version)),
            ("id", Reply::Integer(self.id.cast_signed())),
            ("mode", Reply::bulk("cluster")),
            ("role", Reply::bulk("master")),
            ("modules", Reply::Array(Vec::new())),
        ];
        Reply::Map(pairs.into_iter().map(|(name, value)| (Reply::bulk(name), value)).collect())
    }

    pub(super) fn reset(&mut self, environment: &Environment<'_>) -> Action {
        if !self.is_settled() {
            return Action::Wait;
        }
        self.drop_transaction();
        self.protocol = Protocol::Resp2;
        self.is_authenticated = environment.settings.password.is_none();
        self.name.clear();
        self.looks_at_ms = None;
        Action::Reply(Reply::simple("RESET"))
    }
}
