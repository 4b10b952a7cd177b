//! The way to a moment as one file that needs no server.

use crate::desk::Answer;
use crate::page::{INDEX, SCRIPT, STYLE};
use crate::session::Session;
use crate::words::cut;
use crate::{Shown, share};
use data_encoding::BASE64;
use serde_json::{Map, Value, json};

/// A file holds at most so many moments.
const MOMENTS_MAX: usize = 5_000;
/// A file has about so many bytes at most.
const BYTES_MAX: usize = 128 << 20;

/// The way to a moment, as a page.
///
/// # Errors
/// If it is too long.
pub(crate) fn file<N: Shown>(session: &mut Session<N>, moment: u32) -> Result<Answer, String> {
    let mut way = session.alone(moment)?;
    let count = way.moments.len();
    let too_long =
        || format!("{count} moments are too many for one file: export an earlier moment, or minimise first");
    if count > MOMENTS_MAX {
        return Err(too_long());
    }
    let (mut moments, mut trees, mut bytes) = (Map::new(), Map::new(), 0);
    for at in 0..count as u32 {
        let told = way.show(at, None);
        bytes += told.to_string().len();
        moments.insert(at.to_string(), told);
        for node in way.nodes.clone() {
            let tree = way.tree(at, &node.to_string(), None)?;
            bytes += tree.to_string().len();
            trees.insert(format!("{at}/{node}"), tree);
        }
        if bytes > BYTES_MAX {
            return Err(too_long());
        }
    }
    let all: Vec<u32> = (0..count as u32).collect();
    let titles: Vec<String> = way.titles(&all).iter().map(|title| cut(title)).collect();
    let data = json!({
        "session": way.info(), "columns": BASE64.encode(&way.columns(0)), "moments": moments, "trees": trees, "titles": titles,
    });
    let name = format!("{}.html", share::name(session, moment));
    Ok(Answer::File(name, "text/html; charset=utf-8", page(&data)))
}

/// The page with its style, its scripts and these data in it.
fn page(data: &Value) -> String {
    const POLICY: &str =
        "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:";
    let policy = format!(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n<style>\n{STYLE}\n</style>"
    );
    // In a text of JSON `<` stands for itself however it is written, and no tag can end there.
    let data = data.to_string().replace('<', "\\u003c");
    let scripts = format!(
        "<script type=\"application/json\" id=\"exported\">{data}</script>\n<script>\n{}</script>\n</body>",
        *SCRIPT
    );
    INDEX
        .replace("<link rel=\"stylesheet\" href=\"/page/style.css\">", &policy)
        .replace("<script type=\"module\" src=\"/page/main.js\"></script>\n", "")
        .replace("</body>", &scripts)
}
