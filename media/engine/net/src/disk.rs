//! How full the disk is.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// How much of a thousand parts of the disk below a path is free for us.
pub fn free_permille(path: &Path) -> Option<u64> {
    let path = CString::new(path.as_os_str().as_bytes()).ok()?;
    // SAFETY: all zeros is a valid statvfs.
    let mut figures: libc::statvfs = unsafe { std::mem::zeroed() };
    // SAFETY: a NUL-terminated path and a live structure of the right type.
    let done = unsafe { libc::statvfs(path.as_ptr(), &mut figures) };
    (done == 0).then(|| (figures.f_bavail as u64).saturating_mul(1000).checked_div(figures.f_blocks as u64).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_has_some_part_free_and_a_missing_path_none() {
        assert!(free_permille(Path::new("/")).is_some_and(|free| free <= 1000));
        assert_eq!(free_permille(Path::new("/no/such/path")), None);
    }
}
