//! `synod key`: a key that all nodes of a cluster have in common, in a file of its own.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Writes a new key to a file that is not there yet, readable for its owner alone.
///
/// # Errors
/// If the file is there, or cannot be written; or if the system gives no random bits.
pub fn make(path: &Path) -> io::Result<()> {
    let (high, low) = (synod_host::draw()?, synod_host::draw()?);
    write_new(path, &format!("{high:032x}{low:032x}\n"), 0o600)
}

/// Writes a file that is not there yet, with these permissions.
pub(crate) fn write_new(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::make;
    use std::os::unix::fs::PermissionsExt as _;
    use synod_host::Key;

    #[test]
    fn each_key_is_new_is_read_again_and_is_its_owners_alone() {
        let directory = tempfile::tempdir().unwrap();
        let files = ["one", "two"].map(|name| directory.path().join(name));
        let keys = files.each_ref().map(|file| {
            make(file).unwrap();
            assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
            let text = std::fs::read_to_string(file).unwrap();
            text.trim().parse::<Key>().unwrap()
        });
        assert!(keys[0] != keys[1]);
        assert_eq!(make(&files[0]).unwrap_err().kind(), std::io::ErrorKind::AlreadyExists);
    }
}
