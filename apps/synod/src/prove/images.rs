//! Disks of the nodes' own, whose unsynced writes can be lost: each is a file system in a file, which root can mount. A copy of
//! the file is what the disk holds at that moment: what was written and not synced is in the memory of the system, and not yet
//! in the file. So a node whose process is killed and whose file system is then replaced by that copy has lost its power.
//!
//! The mounts are in a namespace of this process and its children: nobody else sees them, and they end with it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How large each disk is; the file has holes for what is not used.
const BYTES: u64 = 2 << 30;

/// The nodes' disks.
pub(super) struct Images {
    directory: PathBuf,
    /// How often each was replaced; its number is part of the file's name.
    mounted: Vec<(PathBuf, PathBuf, u32)>,
}

fn run(program: &str, words: &[&str]) -> Result<(), String> {
    let output = Command::new(program).args(words).output().map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(format!("{program}: {}", said.lines().next().unwrap_or("it failed")))
}

fn shown(path: &Path) -> Result<&str, String> {
    path.to_str().ok_or_else(|| format!("{}: its name is no text", path.display()))
}

impl Images {
    /// Images for so many nodes, each mounted at the place that `at` says. Call it before there are other threads.
    ///
    /// # Errors
    /// In words, what this machine or this user lacks.
    pub(super) fn mount(directory: &Path, places: &[PathBuf]) -> Result<Images, String> {
        // SAFETY: plain system calls; the second changes only which mounts this thread and its children see.
        if unsafe { libc::geteuid() } != 0 {
            return Err("only root can mount disks whose unsynced writes can be lost".to_owned());
        }
        if unsafe { libc::unshare(libc::CLONE_NEWNS) } != 0 {
            return Err(format!("no namespace for mounts: {}", io::Error::last_os_error()));
        }
        run("mount", &["--make-rprivate", "/"])?;
        let mut images = Images { directory: directory.to_owned(), mounted: Vec::new() };
        for (number, place) in (1..).zip(places) {
            let file = images.file(number, 0);
            let trouble = |error: io::Error| format!("{}: {error}", file.display());
            fs::create_dir_all(place).map_err(trouble)?;
            File::create(&file).and_then(|file| file.set_len(BYTES)).map_err(trouble)?;
            run("mkfs.ext4", &["-q", "-F", "-m", "0", shown(&file)?])?;
            run("mount", &["-o", "loop", shown(&file)?, shown(place)?])?;
            images.mounted.push((file, place.clone(), 0));
        }
        Ok(images)
    }

    fn file(&self, number: usize, times: u32) -> PathBuf {
        self.directory.join(format!("disk{number}-{times}.ext4"))
    }

    /// The disk of this node, whose process was just killed, loses whatever was not synced.
    ///
    /// # Errors
    /// In words, if the file cannot be copied or mounted.
    pub(super) fn lose_unsynced(&mut self, number: u32) -> Result<(), String> {
        let at = number as usize;
        let (old, place, times) = self.mounted[at - 1].clone();
        let new = self.file(at, times + 1);
        run("cp", &["--sparse=always", "--reflink=auto", shown(&old)?, shown(&new)?])?;
        run("umount", &["--lazy", shown(&place)?])?;
        run("mount", &["-o", "loop", shown(&new)?, shown(&place)?])?;
        let _ = fs::remove_file(old);
        self.mounted[at - 1] = (new, place, times + 1);
        Ok(())
    }
}

impl Drop for Images {
    fn drop(&mut self) {
        for (file, place, _) in &self.mounted {
            if let Some(place) = place.to_str() {
                let _ = run("umount", &["--lazy", place]);
            }
            let _ = fs::remove_file(file);
        }
    }
}
