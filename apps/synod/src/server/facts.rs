//! What sessions ask rarely: numbers and lists of this server.

use super::Backend;
use super::registry::Registry;
use std::time::Instant;
use synod_store::{Cluster, Facts, Statistics};

/// The facts of a server with its backend.
pub(super) struct ServerFacts<B> {
    pub(super) registry: std::rc::Rc<Registry>,
    pub(super) backend: B,
    pub(super) started: Instant,
}

impl<B: Backend> Facts for ServerFacts<B> {
    fn cluster(&self) -> Cluster {
        self.backend.cluster()
    }

    fn statistics(&self) -> Statistics {
        let (registry, position) = (&self.registry, self.backend.position());
        let counters = &registry.counters;
        Statistics {
            process_id: std::process::id(),
            uptime_seconds: self.started.elapsed().as_secs(),
            connected_clients: registry.len() as u64,
            clients_max: registry.options.limits.clients_max as u64,
            connections_received: counters.accepted.get(),
            connections_rejected: counters.rejected.get(),
            connections_cut_off: counters.cut_off.get(),
            commands_processed: counters.commands.get(),
            input_bytes: counters.input_bytes.get(),
            output_bytes: counters.output_bytes.get(),
            memory_bytes: resident_bytes(),
            memory_bytes_max: registry.options.limits.memory_bytes_max,
            keys: position.keys,
            expiring_keys: position.expiring_keys,
            log_position: position.log_position,
        }
    }

    fn is_out_of_memory(&self) -> bool {
        self.registry.is_out_of_memory()
    }

    fn may_hold(&self, bytes: usize) -> bool {
        self.registry.may_hold(bytes)
    }

    fn clients(&self, ids: Option<&[u64]>) -> String {
        let (now_ms, mut lines) = (super::door::now_ms(), String::new());
        self.registry.for_each(|shared| match shared.session.try_borrow() {
            Ok(session) if ids.is_none_or(|ids| ids.contains(&session.id())) => {
                session.describe(now_ms, &mut lines);
            }
            // The one who asks is busy asking, and adds its own line.
            Ok(_) | Err(_) => {}
        });
        lines
    }
}

/// The memory that this process takes, where the system tells it.
pub(super) fn resident_bytes() -> u64 {
    const PAGE_BYTES: u64 = 4096;
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok());
    pages.unwrap_or(0) * PAGE_BYTES
}
