//! A data directory in memory, and what can happen to one on a disk.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// The bytes of a file up to the last that is not zero, and its length.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Content {
    bytes: Vec<u8>,
    length: u64,
}

/// The files of a directory and of those below it, by their names within it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Image {
    files: BTreeMap<String, Content>,
}

/// Files that say nothing: what they hold is never read.
const LEFT_OUT: [&str; 2] = ["lock", "spare-"];

impl Image {
    /// How the directory is now. A file that a running process replaces meanwhile may be left out.
    pub fn of(directory: &Path) -> Image {
        let mut files = BTreeMap::new();
        read(directory, "", &mut files);
        Image { files }
    }

    pub fn names(&self) -> Vec<String> {
        self.files.keys().cloned().collect()
    }

    pub fn file(&self, name: &str) -> Content {
        self.files[name].clone()
    }

    /// How many bytes of a file are written, and its length.
    pub fn size_of(&self, name: &str) -> (u64, u64) {
        let content = &self.files[name];
        (content.bytes.len() as u64, content.length)
    }

    /// Makes the directory so, whatever it was.
    pub fn restore(&self, directory: &Path) {
        if directory.exists() {
            fs::remove_dir_all(directory).unwrap();
        }
        self.files.iter().for_each(|(name, content)| content.write(directory, name));
    }
}

/// The names that begin with `prefix`.
pub fn files_of(prefix: &str, image: &Image) -> Vec<String> {
    image.files.keys().filter(|name| name.starts_with(prefix)).cloned().collect()
}

fn read(directory: &Path, within: &str, files: &mut BTreeMap<String, Content>) {
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{within}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            read(&entry.path(), &format!("{name}/"), files);
        } else if !LEFT_OUT.iter().any(|left_out| name.rsplit('/').next().unwrap().starts_with(left_out))
            && !name.ends_with(".tmp")
        {
            let Ok(mut bytes) = fs::read(entry.path()) else { continue };
            let length = bytes.len() as u64;
            bytes.truncate(bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1));
            files.insert(name, Content { bytes, length });
        }
    }
}

impl Content {
    fn write(&self, directory: &Path, name: &str) {
        let path = directory.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let file = File::create(path).unwrap();
        file.write_all_at(&self.bytes, 0).unwrap();
        file.set_len(self.length).unwrap();
    }
}

/// What happens to a directory.
#[derive(Clone, Debug)]
pub enum Damage {
    /// The file is gone.
    Gone(String),
    /// It ends here.
    Cut(String, u64),
    /// A bit of a byte is flipped.
    Flip(String, u64, u8),
    /// So many bytes are zeros.
    Zero(String, u64, u64),
    /// It is another one.
    Put(String, Content),
    /// All files that begin so are those of another directory.
    PutAll(String, Image),
}

impl Damage {
    pub fn apply(&self, directory: &Path) {
        let open = |name: &str| OpenOptions::new().read(true).write(true).open(directory.join(name)).unwrap();
        match self {
            Damage::Gone(name) => fs::remove_file(directory.join(name)).unwrap(),
            Damage::Cut(name, at) => open(name).set_len(*at).unwrap(),
            Damage::Flip(name, at, bit) => {
                let (file, mut byte) = (open(name), [0]);
                file.read_exact_at(&mut byte, *at).unwrap();
                file.write_all_at(&[byte[0] ^ 1 << bit], *at).unwrap();
            }
            Damage::Zero(name, at, bytes) => {
                let file = open(name);
                let bytes = (*bytes).min(file.metadata().unwrap().len() - at);
                file.write_all_at(&vec![0; bytes as usize], *at).unwrap();
            }
            Damage::Put(name, content) => content.write(directory, name),
            Damage::PutAll(prefix, image) => {
                let now = Image::of(directory);
                for name in files_of(prefix, &now) {
                    fs::remove_file(directory.join(name)).unwrap();
                }
                for name in files_of(prefix, image) {
                    image.file(&name).write(directory, &name);
                }
            }
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Damage::Gone(name) => write!(f, "{name} gone"),
            Damage::Cut(name, at) => write!(f, "{name} cut at {at}"),
            Damage::Flip(name, at, bit) => write!(f, "bit {bit} of byte {at} of {name} flipped"),
            Damage::Zero(name, at, bytes) => write!(f, "{bytes} bytes of {name} zeroed at {at}"),
            Damage::Put(name, _) => write!(f, "another {name}"),
            Damage::PutAll(prefix, _) => write!(f, "another {prefix}*"),
        }
    }
}
