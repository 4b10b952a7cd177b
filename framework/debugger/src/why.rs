//! Why a value is what it is: the step that wrote it, what caused that, and so back.

use crate::Shown;
use crate::session::Session;
use crate::words::{self, cut};
use serde_json::{Value, json};
use synod_node::NodeId;
use synod_stdx::Tree;

/// So many steps are looked through at a time, the latest first.
const STRIDE: usize = 256;

impl<N: Shown> Session<N> {
    /// The chain of moments that made the part at `path` of a node's state what it is.
    ///
    /// # Errors
    /// If there is no such node or part.
    pub(crate) fn why(&mut self, moment: u32, node: &str, path: &str) -> Result<Value, String> {
        let id = words::node(&self.nodes, node)?;
        let now = self.stage(moment);
        let here = part(now.world.node(id), path);
        let Some((writer, before)) = self.writer(moment, id, path, here.as_ref()) else {
            return Err(format!("{node} has no `{path}` here, and had none before"));
        };
        let told = |tree: Option<&Tree>| tree.map_or_else(|| "nothing".to_owned(), text);
        let wrote = format!("wrote it: {} -> {}", told(before.as_ref()), told(here.as_ref()));
        let mut chain = vec![json!({"moment": writer, "title": cut(&self.title(writer)), "words": wrote})];
        let mut effect = writer;
        for cause in self.cause_chain(writer) {
            let words = match self.name_of(effect) {
                Some(name) => format!("led to {name}"),
                None => "wrote what became durable".to_owned(),
            };
            chain.push(json!({"moment": cause, "title": cut(&self.title(cause)), "words": words}));
            effect = cause;
        }
        Ok(json!({ "chain": chain }))
    }

    /// The last moment up to this one in which the part became what it is here, and what it was before.
    fn writer(
        &mut self,
        moment: u32,
        id: NodeId,
        path: &str,
        here: Option<&Tree>,
    ) -> Option<(u32, Option<Tree>)> {
        let way = self.path(moment);
        let number = self.number_of(id);
        for stride in way.rchunks(STRIDE) {
            let mut found = None;
            let mut known: Option<Option<Tree>> = None;
            let mut waiting = None;
            self.walk(stride, |session, before, at| {
                let node = before.world.node(id);
                if let Some((writer, old)) = waiting.take() {
                    let new = part(node, path);
                    if new != old {
                        found = Some((writer, old));
                    }
                    known = Some(new);
                }
                if session.rows[at as usize].node == number {
                    let old = known.take().unwrap_or_else(|| part(node, path));
                    waiting = Some((at, old));
                }
            });
            if let Some((writer, old)) = waiting
                && let Some(last) = stride.last()
            {
                let after = self.stage(*last);
                if part(after.world.node(id), path) != old {
                    found = Some((writer, old));
                }
            }
            if found.is_some() {
                return found;
            }
        }
        let first = way.into_iter().find(|at| self.rows[*at as usize].node == number)?;
        here.map(|_| (first, None))
    }
}

fn part<N: Shown>(node: Option<&N>, path: &str) -> Option<Tree> {
    Tree::of(node?).find(path).cloned()
}

fn text(tree: &Tree) -> String {
    let value = cut(&tree.value);
    if tree.parts.is_empty() { value } else { format!("{value} with {} parts", tree.parts.len()) }
}
