//! The byte forms of everything that is said or kept. Version 1 of each: a tag, then the fields in order.

mod configuration;
mod message;
mod state;
mod step;
mod texts;

pub(crate) use configuration::Disk;
pub use message::Shippable;

use synod_stdx::{Wire, Writer};

/// The fields of a value, one behind the other.
struct Fields<'a, 'b>(&'a mut Writer<'b>);

impl Fields<'_, '_> {
    fn and(self, field: &impl Wire) -> Self {
        field.encode(self.0);
        self
    }
}

/// Begins a value: its tag, to which its fields are appended.
fn tag<'a, 'b>(tag: u8, out: &'a mut Writer<'b>) -> Fields<'a, 'b> {
    out.push(tag);
    Fields(out)
}
