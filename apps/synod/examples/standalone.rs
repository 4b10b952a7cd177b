//! The front door with one keyspace behind it, neither durable nor replicated: to measure the door alone.
//!
//! `cargo run --release -p synod-synod --example standalone`, then `redis-benchmark -p PORT` with the port it prints.

#[path = "../tests/support/mod.rs"]
mod support;

fn main() {
    let server = support::Running::start();
    println!("serving on {}", server.address);
    loop {
        std::thread::park();
    }
}
