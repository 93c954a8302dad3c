//! sled's `conf`: how its other files are laid out.

use std::path::Path;

use tokenkeep_core::{Error, ErrorKind, Result};

use super::{SEGMENT, read, shown};

/// sled warns of a bad checksum here and goes on; a short file it writes anew.
pub(super) fn verify(folder: &Path) -> Result<()> {
    let path = folder.join("conf");
    let bytes = read(&path)?;
    let corrupt = |problem| Err(Error::corrupt(shown(&path), problem));
    let Some((text, sum)) = bytes.split_last_chunk::<4>() else {
        return corrupt("is cut short");
    };
    if crc32fast::hash(text) != u32::from_le_bytes(*sum) {
        return corrupt("fails its checksum");
    }
    let expected = format!("segment_size: {SEGMENT}\nuse_compression: false\nversion: 0.34\n");
    if text != expected.as_bytes() {
        let message = "the folder holds a sled database of another version or make";
        return Err(Error::new(ErrorKind::Config, message));
    }
    Ok(())
}
