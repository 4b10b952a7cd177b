//! Which step a stimulus names, as one thread remembers it: a look at two small arrays for a delivery, the thing that a
//! search does most.
//!
//! Each place's content has a row of cells, one for each envelope that ever was sent to it, in the order in which the
//! thread met them. Where memoisation pays, many cells of a row are filled sooner or later. Where it does not, since most
//! contents are new, rows would cost more than what stands in them; a map takes over.

use crate::stim::Stim;
use synod_stdx::LookupMap;

/// No step is known.
pub(crate) const UNKNOWN: u32 = u32::MAX;
/// This bit of a cell says that the step changes nothing.
pub(crate) const NOTHING: u32 = 1 << 31;
/// Rows may have so many cells for each that is filled, and this many anyway: 256 KiB.
const CELLS_PER_STEP: usize = 16;
const CELLS_MIN: usize = 1 << 16;
const ROW_MIN: usize = 16;

/// Steps by content of a place and stimulus: a number, and perhaps [`NOTHING`].
#[derive(Default)]
pub(crate) struct Memo {
    /// By content of a place: where its row begins, and how long it is.
    rows: Vec<(u32, u32)>,
    cells: Vec<u32>,
    /// How many steps are kept, in cells and in the map.
    kept: usize,
    rest: LookupMap<u64, u32>,
}

fn key(place: u32, stim: Stim) -> u64 {
    u64::from(place) << 32 | u64::from(stim.bits())
}

impl Memo {
    /// The step at `place` of the `rank`-th envelope to it, if there is one in its row.
    pub(crate) fn delivery(&self, place: u32, rank: u32) -> u32 {
        match self.rows.get(place as usize) {
            Some((first, len)) if rank < *len => self.cells[(first + rank) as usize],
            Some(_) | None => UNKNOWN,
        }
    }

    /// The step of any stimulus that is in no row.
    pub(crate) fn other(&self, place: u32, stim: Stim) -> u32 {
        self.rest.get(&key(place, stim)).copied().unwrap_or(UNKNOWN)
    }

    /// Remembers a step; `rank` is a delivery's.
    pub(crate) fn keep(&mut self, place: u32, stim: Stim, rank: Option<u32>, cell: u32) {
        self.kept += 1;
        match rank {
            Some(rank) if self.make_room(place as usize, rank as usize) => {
                let first = self.rows[place as usize].0;
                self.cells[(first + rank) as usize] = cell;
            }
            Some(_) | None => {
                self.rest.insert(key(place, stim), cell);
            }
        }
    }

    /// Makes a row long enough; whether it could. A row that grows moves to the end.
    fn make_room(&mut self, place: usize, rank: usize) -> bool {
        if self.rows.len() <= place {
            self.rows.resize(place + 1, (0, 0));
        }
        let (first, len) = self.rows[place];
        if rank < len as usize {
            return true;
        }
        let longer = (rank + 1).next_power_of_two().max(ROW_MIN);
        let from = self.cells.len();
        if from + longer > CELLS_MIN.max(self.kept * CELLS_PER_STEP).min(u32::MAX as usize) {
            return false;
        }
        self.cells.extend_from_within(first as usize..(first + len) as usize);
        self.cells.resize(from + longer, UNKNOWN);
        self.rows[place] = (from as u32, longer as u32);
        true
    }
}
