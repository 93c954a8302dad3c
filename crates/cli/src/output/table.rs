//! Tables for people.

use std::fmt::Write as _;

use anstyle::Style;
use comfy_table::presets::NOTHING;
use comfy_table::{ColumnConstraint, Width};

use super::printable;

const HEADING: Style = Style::new().bold();

/// The space after each column.
const GAP: u16 = 2;

/// Rows under a heading, or names with their values.
pub(crate) struct Table {
    cells: comfy_table::Table,
    headed: bool,
}

impl Table {
    /// A table with a heading.
    pub(crate) fn new(header: &[&str]) -> Self {
        let mut cells = empty();
        cells.set_header(header);
        Self {
            cells,
            headed: true,
        }
    }

    /// A table of names and values, one a line.
    pub(crate) fn fields() -> Self {
        Self {
            cells: empty(),
            headed: false,
        }
    }

    /// Adds a row; control characters are escaped.
    pub(crate) fn row<T: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = T>) {
        let cells = cells.into_iter();
        self.cells
            .add_row(cells.map(|cell| printable(cell.as_ref()).into_owned()));
    }

    /// Adds a name and its value.
    pub(crate) fn field(&mut self, name: &str, value: impl AsRef<str>) {
        self.row([name, value.as_ref()]);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// Makes each column at least as wide as this; gives the widths that they have then.
    pub(super) fn widen(&mut self, least: &[u16]) -> Vec<u16> {
        let mut widths = self.cells.column_max_content_widths();
        for (width, least) in widths.iter_mut().zip(least) {
            *width = (*width).max(*least);
        }
        for (column, width) in self.cells.column_iter_mut().zip(&widths) {
            // The space between columns counts as a part of theirs.
            let width = Width::Fixed(width.saturating_add(GAP));
            column.set_constraint(ColumnConstraint::LowerBoundary(width));
        }
        widths
    }

    /// The table as text: no borders, nothing wrapped, so that whole values can be copied.
    pub(crate) fn render(&mut self) -> String {
        for column in self.cells.column_iter_mut() {
            column.set_padding((0, GAP));
        }
        let mut text = String::new();
        for (number, line) in self.cells.lines().enumerate() {
            let line = line.trim_end();
            // Writing to a string cannot fail.
            let _ = if self.headed && number == 0 {
                writeln!(text, "{HEADING}{line}{HEADING:#}")
            } else {
                writeln!(text, "{line}")
            };
        }
        text
    }
}

fn empty() -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    table.load_style(NOTHING).force_no_tty();
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_their_heading() {
        let mut table = Table::new(&["USER", "TENANT"]);
        table.row(["ada lovelace", "-"]);
        let text = anstream::adapter::strip_str(&table.render()).to_string();
        assert_eq!(text, "USER          TENANT\nada lovelace  -\n");
    }
}
