//! A fresh system of a module, for a person to drive by hand.

use std::sync::Arc;
use synod_checker::{Checkable, Observer, Property, System, Witness};
use synod_debugger::{Portrait, Setup, Shown};
use synod_testkit::Exhibit;

/// What the traces of systems by hand call their scenario.
pub const BY_HAND: &str = "by_hand";

/// How large a system by hand is, and what its users ask.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shape {
    /// How many servers; of a sharded store, in each group.
    pub servers: u32,
    /// How many clients.
    pub clients: u32,
    /// How many groups, where there are any.
    pub groups: u32,
    /// What the clients' users ask: requests joined by commas, users by semicolons. A single user's is every user's.
    pub workload: String,
    /// Which of the module's mutants takes the steps.
    pub mutant: Option<&'static str>,
}

/// At most so many of anything can be looked at.
const MANY: u32 = 30;
/// So many groups there are, unless somebody says otherwise.
const GROUPS: u32 = 2;

impl Shape {
    /// So many servers, in each of two groups where there are any, and two clients.
    pub fn of(servers: u32) -> Shape {
        Shape { servers, clients: 2, groups: GROUPS, workload: String::new(), mutant: None }
    }

    /// As arguments of the command line.
    pub fn arguments(&self) -> String {
        let mut text = format!("--servers {} --clients {}", self.servers, self.clients);
        if self.groups != GROUPS {
            text.push_str(&format!(" --groups {}", self.groups));
        }
        if !self.workload.is_empty() {
            text.push_str(&format!(" --workload '{}'", self.workload));
        }
        if let Some(mutant) = self.mutant {
            text.push_str(&format!(" --mutant {mutant}"));
        }
        text
    }

    /// Whether so much can be shown.
    ///
    /// # Errors
    /// What is too much, or too little.
    pub fn check(&self) -> Result<(), String> {
        for (name, count) in [("servers", self.servers), ("groups", self.groups)] {
            if !(1..=MANY).contains(&count) {
                return Err(format!("--{name} {count}: from 1 to {MANY} can be shown"));
            }
        }
        if self.clients > MANY {
            return Err(format!("--clients {}: at most {MANY} can be shown", self.clients));
        }
        Ok(())
    }

    /// What each user asks; `read` reads one request.
    ///
    /// # Errors
    /// Which request is none, or that there are not as many users as clients.
    pub fn asks<R: Clone>(&self, read: impl Fn(&str) -> Result<R, String>) -> Result<Vec<Vec<R>>, String> {
        let lists: Vec<&str> = self.workload.split(';').collect();
        let of =
            |text: &str| text.split(',').map(str::trim).filter(|text| !text.is_empty()).map(&read).collect();
        let lists: Vec<Vec<R>> = lists
            .into_iter()
            .map(of)
            .collect::<Result<_, String>>()
            .map_err(|error: String| format!("--workload: {error}"))?;
        if lists.len() > 1 && lists.len() != self.clients as usize {
            return Err(format!(
                "--workload has {} users, and there are {} clients",
                lists.len(),
                self.clients
            ));
        }
        let list_of = |client: usize| lists[if lists.len() == 1 { 0 } else { client }].clone();
        Ok((0..self.clients as usize).map(list_of).collect())
    }
}

/// Requests whose right answers are not known beforehand.
pub fn open_ended<R, A>(asks: Vec<R>) -> Vec<(R, Option<A>)> {
    asks.into_iter().map(|ask| (ask, None)).collect()
}

/// A system by hand, with what is the same in all of them.
///
/// # Errors
/// If the nodes cannot start.
pub fn set_up<N: Shown + Checkable>(
    (module, shape): (&str, &Shape),
    system: System<N>,
    observer: impl Observer<N>,
    invariants: Vec<Property<N>>,
    portrait: Option<Arc<dyn Portrait<N>>>,
) -> Result<Setup<N>, String> {
    let exhibit = Exhibit { system, observer: Witness::new(observer), invariants, goals: Vec::new() };
    let mut setup = exhibit.setup(&format!("{module}, by hand"))?;
    module.clone_into(&mut setup.module);
    setup.scenario = BY_HAND.to_owned();
    setup.stage = Some(shape.arguments());
    setup.command = format!("synod debug --module {module} {}", shape.arguments());
    setup.portrait = portrait;
    Ok(setup)
}

/// A request's words: what is between colons.
pub fn words(text: &str) -> Vec<&str> {
    text.split(':').map(str::trim).collect()
}

/// That a request is none, and how it is written.
pub fn unknown(text: &str, help: &str) -> String {
    format!("`{text}` is no request: write {help}")
}
