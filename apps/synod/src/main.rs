//! The synod binary: reads the command line and hands over.

use clap::Parser as _;
use std::process::ExitCode;
use synod_synod::cli::{self, Cli, Command};

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Bench(arguments) => cli::run_bench(&arguments),
        Command::CheckConfig(arguments) => cli::run_check_config(&arguments),
        Command::Up(_)
        | Command::Serve(_)
        | Command::Status(_)
        | Command::Test(_)
        | Command::CheckHistory(_) => cli::usage_error("this build does not have that command yet"),
    }
}
