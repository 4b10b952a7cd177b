//! Panics as words: caught, and not printed, where one is an answer and no accident.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Keeps the standard hook from printing panics of threads that are in [`caught`]. Others print as ever.
fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let standard = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !IS_QUIET.get() {
                standard(info);
            }
        }));
    });
}

/// Runs `work`, whose panic is not printed. Whatever it was changing when it panicked is half changed: throw it away.
///
/// # Errors
/// The words of its panic.
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    install();
    let before = IS_QUIET.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    IS_QUIET.set(before);
    result.map_err(|panic| panic_words(panic.as_ref()))
}

/// What a caught panic said.
pub fn panic_words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without words").to_owned()
}
