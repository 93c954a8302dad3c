//! The numbers in sled's files.

/// What is left to read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(super) fn take<const LEN: usize>(&mut self) -> Option<[u8; LEN]> {
        let (taken, rest) = self.0.split_first_chunk::<LEN>()?;
        self.0 = rest;
        Some(*taken)
    }

    pub(super) fn slice(&mut self, len: u64) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(usize::try_from(len).ok()?)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        Some(self.take::<1>()?[0])
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    pub(super) fn i64(&mut self) -> Option<i64> {
        self.take().map(i64::from_le_bytes)
    }

    /// A number of 1 to 9 bytes: the first says how many follow.
    pub(super) fn varint(&mut self) -> Option<u64> {
        let first = self.u8()?;
        match first {
            0..=240 => Some(u64::from(first)),
            241..=248 => Some(240 + 256 * (u64::from(first) - 241) + u64::from(self.u8()?)),
            249 => {
                let [high, low] = self.take()?;
                Some(2288 + 256 * u64::from(high) + u64::from(low))
            }
            _ => {
                let mut number = [0; 8];
                let len = usize::from(first - 247);
                number[..len].copy_from_slice(self.slice(len as u64)?);
                Some(u64::from_le_bytes(number))
            }
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use sled::Serialize as _;

    use super::*;

    #[test]
    fn numbers_of_every_length_are_read_as_sled_writes_them() {
        let edges = [
            0,
            240,
            241,
            2287,
            2288,
            67823,
            67824,
            0xff_ffff,
            0x100_0000,
            0xffff_ffff,
            0x1_0000_0000,
            0xff_ffff_ffff,
            0xffff_ffff_ffff,
            0xff_ffff_ffff_ffff,
            u64::MAX,
        ];
        for number in edges {
            let written = number.serialize();
            let mut bytes = Bytes(&written);
            assert_eq!(bytes.varint(), Some(number));
            assert!(bytes.is_empty());
            assert_eq!(Bytes(&written[..written.len() - 1]).varint(), None);
        }
    }
}
