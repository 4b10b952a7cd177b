//! A system that is driven by clicks and keys, and asked how it is.

use super::browser::Browser;
use super::served::Served;
use serde_json::Value;

/// A system in a browser, whose users ask nothing by themselves.
pub struct Hand {
    pub browser: Browser,
    pub served: Served,
}

impl Hand {
    pub fn of_paxos(arguments: &[&str]) -> Hand {
        Hand::begin(&[&["--module", "paxos", "--clients", "1"], arguments].concat())
    }

    pub fn begin(arguments: &[&str]) -> Hand {
        let served = Served::begin(arguments);
        let browser = Browser::open(&served.address, (1440, 900), false);
        Hand { browser, served }
    }

    /// Clicks, and returns what is then shown.
    pub fn step(&mut self, id: &str) -> Value {
        let before = self.browser.focus();
        self.browser.click(id);
        let moment = self.browser.focus_after(before);
        self.moment(moment)
    }

    pub fn moment(&mut self, moment: u64) -> Value {
        self.served.api(&format!("GET /api/moment?m={moment}"), "")
    }

    pub fn here(&mut self) -> Value {
        let moment = self.browser.focus();
        self.moment(moment)
    }

    pub fn reason(&mut self, id: &str) -> String {
        let reason = format!("document.querySelector('[data-testid=\"{id}\"]').dataset.reason ?? ''");
        self.browser.evaluate(&reason).as_str().unwrap_or_default().to_owned()
    }

    pub fn done(self) {
        assert!(self.browser.complaints.is_empty(), "{:?}", self.browser.complaints);
    }
}

/// A node as a moment has it.
pub fn node<'m>(moment: &'m Value, name: &str) -> &'m Value {
    moment["nodes"]
        .as_array()
        .and_then(|nodes| nodes.iter().find(|node| node["name"] == name))
        .expect("the node")
}

/// The number of the first message or timer that waits at a node.
pub fn first(moment: &Value, name: &str, what: &str) -> u64 {
    node(moment, name)[what][0]["id"].as_u64().unwrap_or_else(|| panic!("{name} has no {what}"))
}
