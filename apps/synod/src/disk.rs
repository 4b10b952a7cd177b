//! `synod disk check`: reads a node's data directory while the node is down, and brings the node back from its peers where
//! the directory is damaged.

use crate::cli::{DiskCheck, usage_error};
use crate::config::Config;
use crate::node::{self, NodeStatus};
use crate::{status, up};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use synod_host::{DataError, Identity, Inspection, inspect, set_aside};
use synod_stdx::Digest;

/// Runs `synod disk check`.
pub fn check(arguments: &DiskCheck) -> ExitCode {
    let data = &arguments.data;
    if !data.is_dir() {
        return usage_error(&format!(
            "{}: it is no directory; give the one that the node has as `data`",
            data.display()
        ));
    }
    let is_whole = match inspect(data, node::describe) {
        Ok(inspection) => print(&inspection),
        Err(error) => return node::fail(&error.to_string()),
    };
    match (is_whole, arguments.repair_from_peers) {
        (true, false) => {
            println!("Whole: the node can start with it.");
            ExitCode::SUCCESS
        }
        (true, true) => {
            println!("Whole: there is nothing to repair.");
            ExitCode::SUCCESS
        }
        (false, false) => {
            println!(
                "Damaged. Lost at most: the promises and the data of this node. Every acknowledged write is on a majority of \
                 the nodes;\nthis node must take part in none with what is left. To bring it back from its peers:\n  synod \
                 disk check {} --repair-from-peers",
                data.display()
            );
            ExitCode::FAILURE
        }
        (false, true) => match repair(arguments) {
            Ok(aside) => {
                println!(
                    "Its files are kept in {}. Start the node: it takes no part until it has everything from its peers.",
                    aside.display()
                );
                ExitCode::SUCCESS
            }
            Err(problem) => node::fail(&problem),
        },
    }
}

fn line(file: &str, verdict: &str, words: &str) -> String {
    format!("{file:<34}  {verdict:<7}  {words}")
}

/// A line a file. Yields whether all is whole.
fn print(inspection: &Inspection) -> bool {
    let mut is_told = false;
    for (file, found) in &inspection.files {
        match found {
            Ok(words) => println!("{}", line(file, "whole", words)),
            Err(error) => {
                is_told = true;
                println!("{}", line(file, "damaged", &detail(error)));
            }
        }
    }
    match &inspection.whole {
        Ok(()) if is_told => {
            println!("One copy of the superblock is enough: the next start writes the other one anew.");
            true
        }
        Ok(()) => true,
        Err(error) => {
            if !is_told {
                println!("{}", line("all together", "damaged", &error.to_string()));
            }
            false
        }
    }
}

/// What is damaged, without the file's name.
fn detail(error: &DataError) -> String {
    match error {
        DataError::Damaged { offset, detail, .. } => format!("at byte {offset}: {detail}"),
        other => other.to_string(),
    }
}

/// Sets the files of the directory aside, so that the node comes back in its next life. Yields where they are kept.
fn repair(arguments: &DiskCheck) -> Result<PathBuf, String> {
    let data = &arguments.data;
    let file = arguments.config.clone().unwrap_or_else(|| data.join("synod.toml"));
    let config = Config::read(&file)?;
    let own = data.canonicalize().map_err(|error| format!("{}: {error}", data.display()))?;
    if config.data.canonicalize().ok() != Some(own) {
        let (data, other) = (data.display(), config.data.display());
        return Err(format!(
            "{}: its data is in {other}, not in {data}; give --config of this node",
            file.display()
        ));
    }
    let majorities = Majorities::ask(&config, arguments)?;
    majorities.check()?;
    let (cluster, node) = (Digest::of(config.cluster.as_bytes()), config.node);
    let last = last_incarnation(data, (cluster, node));
    let incarnation = match (arguments.incarnation, last) {
        (Some(incarnation), _) if incarnation > last.unwrap_or(config.incarnation) => incarnation,
        (Some(_), _) => {
            return Err(format!("--incarnation: its last one was {}", last.unwrap_or(config.incarnation)));
        }
        (None, Some(last)) => last.max(config.incarnation) + 1,
        (None, None) => {
            return Err(format!(
                "nothing that is left says which life of the disk was the last one; say --incarnation {}, or one higher \
                 if the peers refuse it",
                config.incarnation + 1
            ));
        }
    };
    set_aside(data, Identity { cluster, node, incarnation }).map_err(|error| error.to_string())
}

/// The life of the disk that its files tell of, if they are this node's.
fn last_incarnation(data: &Path, (cluster, node): (u64, u32)) -> Option<u64> {
    let identity = inspect(data, node::describe).ok()?.identity?;
    ((identity.cluster, identity.node) == (cluster, node)).then_some(identity.incarnation)
}

/// How many members of each group answer and take part, apart from this node's.
struct Majorities {
    /// By the group's name: how many members it has, and how many of the others are well.
    groups: BTreeMap<String, (usize, usize)>,
}

impl Majorities {
    /// Asks the other nodes.
    fn ask(config: &Config, arguments: &DiskCheck) -> Result<Majorities, String> {
        let mut addresses = arguments.admin.clone();
        if addresses.is_empty() {
            let above = arguments.data.parent().unwrap_or(Path::new("."));
            let files = up::config_files(above).unwrap_or_default();
            let others = files.iter().filter_map(|file| Config::read(file).ok());
            let others = others.filter(|other| other.cluster == config.cluster && other.node != config.node);
            addresses.extend(others.filter_map(|other| other.admin_listen));
        }
        if addresses.is_empty() {
            return Err(
                "give the other nodes' addresses for operators: --admin HOST:PORT,HOST:PORT".to_owned()
            );
        }
        let answered = addresses.iter().filter_map(|address| status::ask(*address).ok());
        let others: BTreeMap<u32, NodeStatus> =
            answered.map(|status| (status.node, status)).filter(|(node, _)| *node != config.node).collect();
        let takes_part = |role: &str| matches!(role, "leader" | "follower");
        let well = others.values().filter(|other| takes_part(&other.service_role)).count();
        let mut groups =
            BTreeMap::from([("the configuration service".to_owned(), (config.peers.len(), well))]);
        for group in others.values().flat_map(|other| &other.groups) {
            let (members, well) = groups.entry(format!("group {}", group.group)).or_insert((0, 0));
            *members = group.members.max(*members);
            *well += usize::from(takes_part(&group.role));
        }
        Ok(Majorities { groups })
    }

    /// # Errors
    /// If a group has no majority without this node.
    fn check(&self) -> Result<(), String> {
        for (name, (members, well)) in &self.groups {
            if *well * 2 <= *members {
                return Err(format!(
                    "{name}: {well} of its {members} members answer and take part without this node, which is no majority: \
                     start the other nodes first, and leave this directory as it is until they serve"
                ));
            }
        }
        Ok(())
    }
}
