//! The files of the page, as they are in `page/`: a document, a style, and modules that are sent as one script. They are
//! modules for who reads them; a browser that asked for one after the other would wait for each.

use std::fmt::Write as _;
use std::sync::LazyLock;

macro_rules! modules {
    ($($name:literal),* $(,)?) => {
        /// The page's modules, each after those that it needs.
        pub(crate) const MODULES: &[(&str, &str)] = &[$(($name, include_str!(concat!("../page/", $name)))),*];
    };
}

modules![
    "dom.js",
    "icons.js",
    "columns.js",
    "span_index.js",
    "branch.js",
    "lanes.js",
    "queues.js",
    "strip.js",
    "tree.js",
    "links.js",
    "nodes.js",
    "acts.js",
    "announce.js",
    "branch_tree.js",
    "dialog.js",
    "effects.js",
    "scene.js",
    "shapes.js",
    "draw_arrows.js",
    "draw_events.js",
    "inspector.js",
    "watches.js",
    "claims.js",
    "clipboard.js",
    "share.js",
    "commands.js",
    "sides.js",
    "compare.js",
    "view.js",
    "draw_lanes.js",
    "hit.js",
    "signal.js",
    "diagram.js",
    "virtual_list.js",
    "events.js",
    "predicate_field.js",
    "explore.js",
    "files.js",
    "focus.js",
    "fuzzy.js",
    "keys.js",
    "help.js",
    "history.js",
    "jobs.js",
    "legend.js",
    "minimap.js",
    "palette.js",
    "player.js",
    "session.js",
    "source.js",
    "tabs.js",
    "theme.js",
    "titles.js",
    "toolbar.js",
    "tooltip.js",
    "why.js",
    "main.js"
];

/// The document.
pub(crate) const INDEX: &str = include_str!("../page/index.html");
/// Its style.
pub(crate) const STYLE: &str = include_str!("../page/style.css");

/// All modules as one script: their names differ, and each comes after those that it needs.
pub(crate) static SCRIPT: LazyLock<String> = LazyLock::new(|| {
    let mut script = "\"use strict\";\n(() => {\n".to_owned();
    for (_, module) in MODULES {
        for line in module.lines().filter(|line| !line.starts_with("import ")) {
            let _ = writeln!(script, "{}", line.strip_prefix("export ").unwrap_or(line));
        }
    }
    script.push_str("})();\n");
    script
});
