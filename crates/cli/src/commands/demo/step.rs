//! What a step of the demo found, and how it is told.

use std::io;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use serde::Serialize;
use tokenkeep::{StoreInfo, StoreUrl};

use crate::output::Output;

const TITLE: Style = Style::new().bold();
const RIGHT: Style = AnsiColor::Green.on_default();
const WRONG: Style = AnsiColor::Red.on_default().bold();

/// One step: what was done, how long it took, and what was found beside what must be.
#[derive(Serialize)]
pub(super) struct Step {
    step: &'static str,
    #[serde(skip)]
    title: String,
    /// How many tokens the time was for.
    handled: u64,
    seconds: f64,
    figures: Vec<Figure>,
}

#[derive(Serialize)]
struct Figure {
    what: String,
    expected: u64,
    found: u64,
}

impl Step {
    /// A step of this name, in which so many tokens were handled in so long.
    pub(super) fn new(
        step: &'static str,
        title: impl Into<String>,
        handled: usize,
        took: Duration,
    ) -> Self {
        Self {
            step,
            title: title.into(),
            handled: handled as u64,
            seconds: took.as_secs_f64(),
            figures: Vec::new(),
        }
    }

    /// Adds what the store says, beside what the bookkeeping says.
    pub(super) fn figure(mut self, what: impl Into<String>, expected: u64, found: u64) -> Self {
        self.figures.push(Figure {
            what: what.into(),
            expected,
            found,
        });
        self
    }

    fn is_right(&self) -> bool {
        self.figures
            .iter()
            .all(|figure| figure.expected == figure.found)
    }
}

#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    step: &'a Step,
    ok: bool,
}

#[derive(Serialize)]
struct Ending {
    step: &'static str,
    seconds: f64,
    remains: Option<String>,
    ok: bool,
}

/// Tells the steps as they are done.
pub(super) struct Narrator<'a> {
    output: &'a mut Output,
    told: u32,
}

impl<'a> Narrator<'a> {
    pub(super) fn new(output: &'a mut Output) -> Self {
        Self { output, told: 0 }
    }

    /// Says which store it is.
    pub(super) fn open(&mut self, info: &StoreInfo, url: &StoreUrl) -> io::Result<()> {
        if self.output.is_json() {
            return Ok(());
        }
        self.output.line(format_args!(
            "The life of some tokens on {url} ({}, durability {})",
            info.driver, info.durability
        ))?;
        self.output.flush()
    }

    /// Tells a step; says whether its figures are right.
    pub(super) fn tell(&mut self, step: &Step) -> io::Result<bool> {
        let ok = step.is_right();
        self.told += 1;
        if self.output.is_json() {
            self.output.json(&Told { step, ok })?;
        } else {
            self.write(step)?;
        }
        self.output.flush()?;
        Ok(ok)
    }

    fn write(&mut self, step: &Step) -> io::Result<()> {
        let number = self.told;
        self.output
            .line(format_args!("\n{TITLE}{number}. {}{TITLE:#}", step.title))?;
        for figure in &step.figures {
            let found = grouped(figure.found);
            let what = &figure.what;
            if figure.expected == figure.found {
                let verdict = format_args!("{RIGHT}as counted{RIGHT:#}");
                self.output
                    .line(format_args!("   {what:<44} {found:>9}  {verdict}"))?;
            } else {
                let expected = grouped(figure.expected);
                let verdict = format_args!("{WRONG}WRONG: it must be {expected}{WRONG:#}");
                self.output
                    .line(format_args!("   {what:<44} {found:>9}  {verdict}"))?;
            }
        }
        let rate = step.handled as f64 / step.seconds.max(1e-9);
        self.output.line(format_args!(
            "   {:.2} s: {} a second",
            step.seconds,
            grouped(rate as u64)
        ))
    }

    /// Tells the end.
    pub(super) fn close(
        &mut self,
        ok: bool,
        took: Duration,
        remains: Option<String>,
    ) -> io::Result<()> {
        let seconds = took.as_secs_f64();
        if self.output.is_json() {
            return self.output.json(&Ending {
                step: "end",
                seconds,
                remains,
                ok,
            });
        }
        let remains = remains.unwrap_or_else(|| "nothing of it remains".to_owned());
        let verdict = if ok {
            "every figure is as counted"
        } else {
            "a figure is WRONG"
        };
        self.output.line(format_args!(
            "\nDone in {seconds:.1} s: {verdict}; {remains}."
        ))
    }
}

/// A number with its digits in groups of three.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_stand_in_threes() {
        for (number, text) in [
            (7, "7"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn one_wrong_figure_makes_the_step_wrong() {
        let step = Step::new("issue", "Issue", 1, Duration::ZERO).figure("stored", 1, 1);
        assert!(step.is_right());
        assert!(!step.figure("listed", 1, 2).is_right());
    }
}
