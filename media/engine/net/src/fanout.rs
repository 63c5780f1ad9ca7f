//! One frame to many sockets: the byte half of signaling broadcasts.
//!
//! Owns nothing and keeps no state. Never blocks: a socket that cannot take the whole frame is reported, not waited for.

/// Send `frame` to every socket with `send(2)`, without blocking and without SIGPIPE.
///
/// Returns `(index into fds, bytes sent or -errno)` for each socket that did not take the whole frame; an empty
/// result means everybody has it. A partial send returns the count of bytes taken, so that the caller can queue the rest.
pub fn send_many(fds: &[i32], frame: &[u8]) -> Vec<(u32, i64)> {
    let mut short = Vec::new();
    for (index, &fd) in fds.iter().enumerate() {
        let sent = send_one(fd, frame);
        if sent != frame.len() as i64 {
            short.push((index as u32, sent));
        }
    }
    short
}

/// One non-blocking send: bytes taken, or `-errno`.
fn send_one(fd: i32, frame: &[u8]) -> i64 {
    loop {
        // SAFETY: the pointer and length describe `frame`, which outlives the call; `send` only reads it. A bad
        // descriptor makes the call fail with EBADF or ENOTSOCK, which is reported.
        let n = unsafe { libc::send(fd, frame.as_ptr().cast(), frame.len(), libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL) };
        if n >= 0 {
            return n as i64;
        }
        let errno = std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO);
        if errno != libc::EINTR {
            return -i64::from(errno);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::send_many;
    use std::io::Read;
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn everybody_gets_the_whole_frame() {
        let pairs: Vec<_> = (0..50).map(|_| UnixStream::pair().unwrap()).collect();
        let fds: Vec<i32> = pairs.iter().map(|(a, _)| a.as_raw_fd()).collect();
        assert_eq!(send_many(&fds, b"hello class"), vec![]);
        for (_, receiver) in &pairs {
            let mut got = [0u8; 11];
            let mut receiver = receiver;
            receiver.read_exact(&mut got).unwrap();
            assert_eq!(&got, b"hello class");
        }
    }

    #[test]
    fn a_full_socket_reports_what_it_took_and_the_others_are_served() {
        let (full, full_peer) = UnixStream::pair().unwrap();
        let (open, mut open_peer) = UnixStream::pair().unwrap();
        let big = vec![7u8; 8 << 20];
        let fds = [full.as_raw_fd(), open.as_raw_fd()];
        let short = send_many(&fds[..1], &big);
        assert_eq!(short.len(), 1);
        let (index, taken) = short[0];
        assert_eq!(index, 0);
        assert!(taken > 0 && taken < big.len() as i64, "partial send is counted: {taken}");
        assert_eq!(send_many(&fds, b"next"), vec![(0, -i64::from(libc::EAGAIN))]);
        let mut got = [0u8; 4];
        open_peer.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"next");
        drop(full_peer);
    }

    #[test]
    fn a_closed_peer_and_a_bad_descriptor_are_errors_not_signals() {
        let (gone, peer) = UnixStream::pair().unwrap();
        drop(peer);
        let file = std::fs::File::open("/dev/null").unwrap();
        let fds = [gone.as_raw_fd(), -1, file.as_raw_fd()];
        let expected = vec![(0, -i64::from(libc::EPIPE)), (1, -i64::from(libc::EBADF)), (2, -i64::from(libc::ENOTSOCK))];
        assert_eq!(send_many(&fds, b"x"), expected);
    }

    #[test]
    fn nothing_to_send_to_is_fine() {
        assert_eq!(send_many(&[], b"x"), vec![]);
    }
}
