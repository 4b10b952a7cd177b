//! The synod binary: reads the command line and hands over.

use clap::Parser as _;
use std::process::ExitCode;
use synod_synod::cli::{self, Change, Cli, Command, DiskCommand};
use synod_synod::{administer, debug, demo, disk, fuzz, interrupt, modules, prove, status, up};

/// Nodes and searches allocate and free small things all the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let command = Cli::parse().command;
    // Nodes live on where nobody reads what they say; everything else ends with its reader, as tools do.
    if !matches!(command, Command::Serve(_) | Command::Up(_) | Command::DemoNode(_)) {
        interrupt::end_with_reader();
    }
    match command {
        Command::Bench(arguments) => cli::run_bench(&arguments),
        Command::Group(arguments) => administer::run(&Change::Group(&arguments)),
        Command::Member(arguments) => administer::run(&Change::Member(&arguments)),
        Command::Node(arguments) => administer::run(&Change::Node(&arguments)),
        Command::Slot(arguments) => administer::run(&Change::Slot(&arguments)),
        Command::Rebalance(target) => administer::run(&Change::Rebalance(&target)),
        Command::Config(arguments) => administer::run(&Change::Config(&arguments)),
        Command::Disk(DiskCommand::Check(arguments)) => disk::check(&arguments),
        Command::Cert(arguments) => cli::run_cert(&arguments),
        Command::Key(arguments) => cli::run_key(&arguments),
        Command::CheckConfig(arguments) => cli::run_check_config(&arguments),
        Command::Up(arguments) => up::run(&arguments),
        Command::Serve(arguments) => cli::run_serve(&arguments),
        Command::Status(arguments) => status::run(&arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::DemoNode(arguments) => demo::run_node(&arguments),
        Command::Prove(arguments) => prove::run(&arguments),
        Command::Debug(arguments) => debug::run(&arguments),
        Command::Test(arguments) => modules::run_test(&arguments),
        Command::Fuzz(arguments) => fuzz::run(&arguments),
        Command::CheckHistory(arguments) => modules::run_check_history(&arguments),
    }
}
