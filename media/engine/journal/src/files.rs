//! Where journal files lie: `<root>/<class>/<number>.rj`, readable by their owner only.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::format::{get, is_name, Broken, Head, Kind, Seal, HEAD, SEAL};

/// The ending of journal files.
const ENDING: &str = "rj";

/// The folder of a class; an error for a name that must not stand in a path.
pub fn folder(root: &Path, class: &str) -> io::Result<PathBuf> {
    match is_name(class) {
        true => Ok(root.join(class)),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "not the name of a class")),
    }
}

/// The file of this number.
pub fn path(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("{number:06}.{ENDING}"))
}

/// Makes a class's folder.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Makes a new file; an error if there is one of this number.
pub fn create(folder: &Path, number: u32) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path(folder, number))
}

/// The numbers of a class's files, ascending; none if there is no folder.
pub fn numbers(folder: &Path) -> io::Result<Vec<u32>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut numbers = Vec::new();
    for entry in entries {
        numbers.extend(number_of(&entry?.path()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

fn number_of(path: &Path) -> Option<u32> {
    let stem = path.file_stem()?.to_str()?;
    (path.extension()? == ENDING && stem.bytes().all(|b| b.is_ascii_digit())).then(|| stem.parse().ok())?
}

/// The classes with a folder, sorted.
pub fn classes(root: &Path) -> io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(root) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut classes = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            classes.extend(entry.file_name().into_string().ok().filter(|name| is_name(name)));
        }
    }
    classes.sort_unstable();
    Ok(classes)
}

/// A file's head and, if it is sealed, its seal; only its two ends are read.
pub fn ends(path: &Path) -> io::Result<(Option<Head>, Option<Seal>)> {
    let mut file = File::open(path)?;
    let mut head = [0u8; HEAD];
    let length = file.metadata()?.len();
    if length < HEAD as u64 {
        return Ok((None, None));
    }
    file.read_exact(&mut head)?;
    let Some(parsed) = Head::decode(&head) else { return Ok((None, None)) };
    let mut tail = [0u8; SEAL];
    if length < (HEAD + SEAL) as u64 {
        return Ok((Some(parsed), None));
    }
    file.seek(SeekFrom::Start(length - SEAL as u64))?;
    file.read_exact(&mut tail)?;
    Ok((Some(parsed), seal(&tail, Head::seed(&head)).ok()))
}

/// The seal in a file's last bytes.
pub fn seal(tail: &[u8], seed: u32) -> Result<Seal, Broken> {
    let record = get(tail, seed)?;
    let wrong = Broken::Wrong { checked: tail.len() };
    match record.kind {
        Kind::Seal => Seal::decode(record.payload).ok_or(wrong),
        _ => Err(wrong),
    }
}
