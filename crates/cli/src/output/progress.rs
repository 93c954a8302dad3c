//! A sign of life while something takes long: on standard error, and on a terminal only.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// How often the sign moves by itself.
const TICK: Duration = Duration::from_millis(100);

/// A bar where the total is known, else a counter. Gone without a trace once dropped.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Counts up to a total.
    pub(crate) fn bar(what: &str, total: u64) -> Self {
        Self::start(
            ProgressBar::new(total),
            what,
            "{msg} [{bar:40}] {pos}/{len} {per_sec}",
        )
    }

    /// Counts without knowing how far.
    pub(crate) fn counter(what: &str) -> Self {
        Self::start(
            ProgressBar::new_spinner(),
            what,
            "{spinner} {msg} {pos} {per_sec}",
        )
    }

    fn start(bar: ProgressBar, what: &str, template: &str) -> Self {
        // A template that did not parse would leave the bar in its plain style.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        bar.enable_steady_tick(TICK);
        Self(bar)
    }

    pub(crate) fn add(&self, count: u64) {
        self.0.inc(count);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
