//! The files that a server's URL names.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use zeroize::Zeroizing;

/// The longest file that is read: an authority's bundle has some 200 KiB.
const MAX_LEN: u64 = 16 * 1024 * 1024;

/// The blocks of a PEM file that hold certificates.
pub(super) const CERTIFICATES: &[&str] = &["CERTIFICATE"];

/// The blocks of a PEM file that hold a private key that no passphrase protects.
pub(super) const KEYS: &[&str] = &["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"];

/// The first line of a file, which is a password.
pub(super) fn password(path: &Path) -> Result<Zeroizing<String>, String> {
    let bytes = read(path).map_err(|error| error.to_string())?;
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or(&[]);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let password = std::str::from_utf8(line).map_err(|_| "its first line is not UTF-8")?;
    if password.is_empty() {
        return Err("its first line is empty".to_owned());
    }
    Ok(Zeroizing::new(password.to_owned()))
}

/// Checks that a file can be read and has a PEM block with one of these labels.
pub(super) fn check_pem(path: &Path, labels: &[&str]) -> Result<(), String> {
    let bytes = read(path).map_err(|error| error.to_string())?;
    let is_found = bytes.split(|byte| *byte == b'\n').any(|line| {
        let label = line
            .trim_ascii()
            .strip_prefix(b"-----BEGIN ")
            .and_then(|line| line.strip_suffix(b"-----"));
        label.is_some_and(|label| labels.iter().any(|known| known.as_bytes() == label))
    });
    if is_found {
        return Ok(());
    }
    Err(format!("it has no PEM block {}", labels.join(" or ")))
}

/// Reads a regular file: a pipe that nobody writes to would be waited for without a bound.
fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let length = fs::metadata(path).and_then(|found| {
        let is_readable = found.is_file() || path == Path::new("/dev/stdin");
        if is_readable {
            Ok(found.len().min(MAX_LEN))
        } else {
            Err(io::Error::other("it is no regular file"))
        }
    })?;
    // Room for all from the start, so that growing leaves no copies of a secret behind.
    let room = usize::try_from(length).unwrap_or(0).max(4_096);
    let mut bytes = Zeroizing::new(Vec::with_capacity(room + 1));
    File::open(path)?.take(MAX_LEN).read_to_end(&mut bytes)?;
    Ok(bytes)
}
