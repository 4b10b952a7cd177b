//! Claims beyond the list.

use synod_testkit::Scenario;

/// The claims.
pub const BEYOND: &[Scenario] = &[];
