//! A table that is written page by page.

use std::io;

use super::{Output, Table};

/// One heading, and columns that keep their places: they grow with a longer value and never shrink.
pub(crate) struct Listing {
    header: &'static [&'static str],
    widths: Vec<u16>,
}

impl Listing {
    pub(crate) fn new(header: &'static [&'static str]) -> Self {
        Self {
            header,
            widths: Vec::new(),
        }
    }

    /// Writes a page; the first one that is not empty goes below the heading.
    pub(crate) fn write<const N: usize>(
        &mut self,
        rows: impl Iterator<Item = [String; N]>,
        output: &mut Output,
    ) -> io::Result<()> {
        let page = self.page(rows);
        page.map_or(Ok(()), |page| output.table(page))
    }

    fn page<const N: usize>(&mut self, rows: impl Iterator<Item = [String; N]>) -> Option<Table> {
        let mut page = if self.widths.is_empty() {
            Table::new(self.header)
        } else {
            Table::fields()
        };
        for row in rows {
            page.row(row);
        }
        if page.is_empty() {
            return None;
        }
        self.widths = page.widen(&self.widths);
        Some(page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_pages_stand_below_the_one_heading() {
        let mut listing = Listing::new(&["USER", "TENANT"]);
        let mut page = |rows: &[[&str; 2]]| {
            let rows = rows.iter().map(|row| row.map(str::to_owned));
            let text = listing.page(rows).map(|mut page| page.render());
            text.map(|text| anstream::adapter::strip_str(&text).to_string())
        };
        assert_eq!(page(&[]), None);
        let first = page(&[["ada lovelace", "engines"]]).unwrap();
        assert_eq!(first, "USER          TENANT\nada lovelace  engines\n");
        assert_eq!(page(&[["bob", "-"]]).unwrap(), "bob           -\n");
        assert_eq!(
            page(&[["ada king lovelace", "-"]]).unwrap(),
            "ada king lovelace  -\n"
        );
        assert_eq!(page(&[["bob", "-"]]).unwrap(), "bob                -\n");
    }
}
