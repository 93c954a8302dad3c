use std::fs;

use tokenkeep::{ErrorKind, TokenDigest};

use crate::support::{failure, secret};

/// Worked out with another program: `printf tkp_example | openssl dgst -sha256 -hmac KEY`.
#[test]
fn ids_are_hmac_sha_256_of_the_secret() {
    let digest = TokenDigest::with_key(b"0123456789abcdef0123456789abcdef").unwrap();
    assert_eq!(digest.id(&secret("tkp_example")).to_string(), KEYED);
    let public = TokenDigest::default();
    assert_eq!(public.id(&secret("tkp_example")).to_string(), PUBLIC);
}

const KEYED: &str = "688e10f4f5b9d027c144a85e64fe470373fda93c73f3cba91eda0039f1e8dc6b";
const PUBLIC: &str = "57d916bf227873c93c0f46a5e436a3cc8da33738b4065f7289d56020bd9a8bed";

#[test]
fn the_key_file_is_read_without_its_line_end() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    let id = |content: &[u8]| {
        fs::write(&file, content).unwrap();
        TokenDigest::from_key_file(&file).unwrap().id(&secret("x"))
    };
    let key = [b'k'; 32];
    let plain = id(&key);
    assert_eq!(plain, TokenDigest::with_key(&key).unwrap().id(&secret("x")));
    assert_eq!(id(&[&key[..], b"\n"].concat()), plain);
    assert_eq!(id(&[&key[..], b"\r\n"].concat()), plain);
    assert_ne!(id(&[&key[..], b" "].concat()), plain);
    id(&[&[b'k'; TokenDigest::MAX_KEY_LEN][..], b"\r\n"].concat());
}

#[test]
fn unusable_key_files_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    let message = || {
        let (kind, message) = failure(TokenDigest::from_key_file(&file));
        assert_eq!(kind, ErrorKind::Config);
        assert!(message.contains(&file.display().to_string()), "{message}");
        message
    };
    message();
    for content in [
        &b""[..],
        &[b'k'; 31],
        b"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk\n",
        &[b'k'; TokenDigest::MAX_KEY_LEN + 1],
        &[b'k'; 100_000],
    ] {
        fs::write(&file, content).unwrap();
        let message = message();
        assert!(message.contains("not 32 to 4096 bytes"), "{message}");
        assert!(!message.contains("kkk"), "{message}");
    }
}

#[test]
fn debug_shows_no_key() {
    let digest = TokenDigest::with_key(&[b'k'; 32]).unwrap();
    assert_eq!(format!("{digest:?}"), "TokenDigest(redacted)");
}
