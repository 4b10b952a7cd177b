//! A system that is driven by clicks and keys, and asked how it is.

use super::browser::Browser;
use super::served::Served;
use serde_json::{Value, json};

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

    /// How many steps lead to a moment.
    pub fn steps(&self, moment: u64) -> u64 {
        let share = self.served.api(&format!("GET /api/share?m={moment}"), "");
        share["steps"].as_u64().expect("a number")
    }

    /// Names the branch that is shown.
    pub fn name_branch(&mut self, name: &str) {
        self.browser.click("rename-branch");
        self.browser.write("rename-input", name);
        self.browser.click("rename-save");
        self.browser.wait_words("history", name);
    }

    /// Writes a moment into the address, and waits until it is shown.
    pub fn go_by_address(&mut self, moment: u64) {
        let here = self.browser.focus();
        self.browser.wait(&format!("location.hash === '#m={here}'"), "the address is this moment's");
        self.browser.evaluate(&format!("location.hash = 'm={moment}'"));
        assert_eq!(self.browser.focus_after(here), moment);
    }

    /// Clicks the number of the event that the diagram shows so far from its top, which is before the one that is shown.
    pub fn click_number(&mut self, from_top: f64) {
        let here = self.browser.focus();
        let place = self.browser.evaluate(
            "(() => { const box = document.getElementById('diagram').getBoundingClientRect(); return [box.x, box.y]; })()",
        );
        let at = |index: usize| place[index].as_f64().expect("a number");
        self.browser.click_at(at(0) + 20.0, at(1) + from_top);
        let clicked = self.browser.focus_after(here);
        assert!(clicked < here, "{clicked}");
    }

    /// Waits until some events are listed, and only such with these words.
    pub fn only_listed(&mut self, words: &str) {
        let shown = "[...document.querySelectorAll('[data-testid=events] [role=option]')].filter(row => row.checkVisibility()).map(row => row.textContent)";
        let words = json!(words);
        let all = format!("(all => all.length > 0 && all.every(text => text.includes({words})))({shown})");
        self.browser.wait(&all, &format!("only those with {words} are listed"));
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
