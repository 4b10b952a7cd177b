//! The arguments of the load generator, and what becomes of them.

use super::usage_error;
use crate::bench::{self, Extent, Options, Step, Workload};
use crate::config::PASSWORD_VARIABLE;
use crate::tls::{Caller, TlsOptions};
use clap::{ArgAction, Args};
use std::io::IsTerminal as _;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::process::ExitCode;
use std::time::Duration;

/// `synod bench`.
#[derive(Args, Debug)]
#[command(disable_help_flag = true)]
pub struct Bench {
    /// The server's host.
    #[arg(short = 'h', long, default_value = "127.0.0.1")]
    pub host: String,
    /// The server's port; several, separated by commas, share the connections.
    #[arg(short, long, default_value = "7001", value_delimiter = ',')]
    pub port: Vec<u16>,
    /// How many connections.
    #[arg(short, long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=60_000))]
    pub clients: u32,
    /// How many requests in each test.
    #[arg(short = 'n', long, default_value_t = 100_000, conflicts_with = "seconds")]
    pub requests: u64,
    /// How long each test runs, instead of a number of requests.
    #[arg(short, long)]
    pub seconds: Option<f64>,
    /// Ask at a rate, whatever the answers: requests a second and seconds, as in 8000:10; several steps, separated by
    /// commas, follow each other. Prints each second.
    #[arg(long, value_delimiter = ',', conflicts_with_all = ["seconds", "requests", "pipeline"])]
    pub rate: Vec<Step>,
    /// How many requests each connection keeps under way.
    #[arg(short = 'P', long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub pipeline: u32,
    /// The tests, separated by commas: ping, set, get, incr, mixed.
    #[arg(short, long, default_value = "set,get,incr", value_delimiter = ',')]
    pub tests: Vec<Workload>,
    /// How long values are, in bytes.
    #[arg(short = 'd', long, default_value_t = 128)]
    pub value_size: usize,
    /// How many different keys there are.
    #[arg(short, long, default_value_t = 10_000)]
    pub keys: u64,
    /// Do not set the keys before a test that reads them.
    #[arg(long)]
    pub no_fill: bool,
    /// Machine-readable output.
    #[arg(long)]
    pub json: bool,
    /// How to speak TLS.
    #[command(flatten)]
    pub tls: TlsOptions,
    /// Print help.
    #[arg(long, action = ArgAction::Help)]
    pub help: Option<bool>,
}

/// Runs `synod bench`.
pub fn run_bench(arguments: &Bench) -> ExitCode {
    let options = match bench_options(arguments) {
        Ok(options) => options,
        Err(problem) => return usage_error(&problem),
    };
    if !arguments.rate.is_empty() {
        return run_steps(arguments, &options);
    }
    let mut reports = Vec::new();
    for workload in &arguments.tests {
        match bench::run(&options, *workload) {
            Ok(report) => reports.push(report),
            Err(error) => {
                eprintln!("synod: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    let mut out = std::io::stdout().lock();
    let printed = match arguments.json {
        true => bench::print_json(&reports, &mut out),
        false => bench::print_table(&reports, &mut out),
    };
    let is_good = printed.is_ok() && reports.iter().all(|report| report.errors == 0);
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run_steps(arguments: &Bench, options: &Options) -> ExitCode {
    let [workload] = arguments.tests[..] else {
        return usage_error("--rate: name one test, as in --tests set");
    };
    let mut out = std::io::stdout().lock();
    match bench::run_steps(options, workload, &arguments.rate) {
        Err(error) => {
            eprintln!("synod: {error}");
            ExitCode::FAILURE
        }
        Ok(course) => {
            let printed = match arguments.json {
                true => course.print_json(&mut out),
                false => course.print_table(&mut out),
            };
            if printed.is_ok() && course.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
    }
}

fn bench_options(arguments: &Bench) -> Result<Options, String> {
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for port in &arguments.port {
        let host = arguments.host.as_str();
        let found = (host, *port).to_socket_addrs().ok().and_then(|mut found| found.next());
        addresses.push(found.ok_or_else(|| format!("--host {host}: no such host"))?);
    }
    let extent = match arguments.seconds {
        None if arguments.requests == 0 => return Err("--requests: measure at least one".to_owned()),
        None => Extent::Requests(arguments.requests),
        Some(seconds) => match Duration::try_from_secs_f64(seconds) {
            Ok(time) if !time.is_zero() => Extent::Time(time),
            Ok(_) | Err(_) => return Err("--seconds: give a time above zero".to_owned()),
        },
    };
    Ok(Options {
        addresses,
        clients: arguments.clients as usize,
        pipeline: arguments.pipeline as usize,
        extent,
        value_bytes: arguments.value_size,
        keys: arguments.keys,
        fills: !arguments.no_fill,
        password: std::env::var_os(PASSWORD_VARIABLE).map(std::ffi::OsString::into_encoded_bytes),
        caller: Caller::of(&arguments.tls)?,
        shows_progress: std::io::stderr().is_terminal() && !arguments.json,
    })
}
