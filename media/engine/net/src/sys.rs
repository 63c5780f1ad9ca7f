//! Thin safe wrappers over the system calls the threads need: epoll, eventfd, batched datagrams, socket buffers.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// Datagrams taken or sent per system call.
pub const BATCH: usize = 64;
/// Longest datagram we take; longer ones are cut by the kernel and refused.
pub const DATAGRAM: usize = 2048;

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// An epoll instance; level-triggered.
pub struct Epoll(OwnedFd);

impl Epoll {
    pub fn new() -> io::Result<Epoll> {
        // SAFETY: no pointers; the returned descriptor is ours alone.
        let fd = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: `fd` was just created and is owned by nobody else.
        Ok(Epoll(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    fn control(&self, operation: libc::c_int, fd: RawFd, token: u64, writable: bool) -> io::Result<()> {
        let interest = libc::EPOLLIN | libc::EPOLLRDHUP | if writable { libc::EPOLLOUT } else { 0 };
        let mut event = libc::epoll_event { events: interest as u32, u64: token };
        // SAFETY: `event` outlives the call; bad descriptors are reported as errors.
        check(unsafe { libc::epoll_ctl(self.0.as_raw_fd(), operation, fd, &mut event) }).map(|_| ())
    }

    pub fn add(&self, fd: RawFd, token: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, token, false)
    }

    /// Also (or no longer) tell when `fd` can be written.
    pub fn watch_writable(&self, fd: RawFd, token: u64, writable: bool) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, fd, token, writable)
    }

    pub fn remove(&self, fd: RawFd) {
        let _ = self.control(libc::EPOLL_CTL_DEL, fd, 0, false);
    }

    /// Puts the tokens of ready descriptors into `ready`; waits at most `timeout` (None = for ever).
    pub fn wait(&self, ready: &mut Vec<u64>, timeout: Option<Duration>) -> io::Result<()> {
        ready.clear();
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; 64];
        // Rounded up: waking a fraction too early would only wait again.
        let ms = timeout.map_or(-1, |t| t.as_micros().div_ceil(1000).min(60_000) as libc::c_int);
        // SAFETY: `events` has the stated length and outlives the call.
        let n = unsafe { libc::epoll_wait(self.0.as_raw_fd(), events.as_mut_ptr(), events.len() as libc::c_int, ms) };
        match check(n) {
            Ok(n) => ready.extend(events.iter().take(n as usize).map(|event| event.u64)),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
        Ok(())
    }
}

/// A counter another thread can wait on.
pub struct EventFd(OwnedFd);

impl EventFd {
    pub fn new() -> io::Result<EventFd> {
        // SAFETY: no pointers; the returned descriptor is ours alone.
        let fd = check(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })?;
        // SAFETY: `fd` was just created and is owned by nobody else.
        Ok(EventFd(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    pub fn signal(&self) {
        let one = 1u64.to_ne_bytes();
        // SAFETY: writes eight bytes from a live array. A full counter (EAGAIN) already means readable.
        unsafe { libc::write(self.0.as_raw_fd(), one.as_ptr().cast(), one.len()) };
    }

    pub fn clear(&self) {
        let mut count = [0u8; 8];
        // SAFETY: reads eight bytes into a live array; an empty counter (EAGAIN) changes nothing.
        unsafe { libc::read(self.0.as_raw_fd(), count.as_mut_ptr().cast(), count.len()) };
    }
}

impl AsRawFd for EventFd {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// Asks for large socket buffers: by force if allowed to, else as much as the system grants.
pub fn widen_buffers(socket: &UdpSocket, bytes: usize) {
    let value = bytes as libc::c_int;
    for (force, plain) in [(libc::SO_RCVBUFFORCE, libc::SO_RCVBUF), (libc::SO_SNDBUFFORCE, libc::SO_SNDBUF)] {
        if set_option(socket, force, value).is_err() {
            let _ = set_option(socket, plain, value);
        }
    }
}

/// Bounds what the kernel keeps unsent for a connection: old media is worth nothing.
pub fn bound_unsent(stream: &TcpStream, bytes: usize) -> io::Result<()> {
    set_option(stream, libc::SO_SNDBUF, bytes as libc::c_int)
}

fn set_option(socket: &impl AsRawFd, option: libc::c_int, value: libc::c_int) -> io::Result<()> {
    let len = std::mem::size_of_val(&value) as libc::socklen_t;
    // SAFETY: passes a pointer to a live integer and its size.
    check(unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, option, (&raw const value).cast(), len) }).map(|_| ())
}

/// Waits until the socket can take more, at most `timeout`.
pub fn wait_writable(socket: &UdpSocket, timeout: Duration) -> bool {
    let mut fd = libc::pollfd { fd: socket.as_raw_fd(), events: libc::POLLOUT, revents: 0 };
    // SAFETY: one live pollfd.
    unsafe { libc::poll(&mut fd, 1, timeout.as_millis() as libc::c_int) > 0 }
}

/// Memory for one batch of incoming datagrams.
pub struct Inbound {
    bytes: Vec<[u8; DATAGRAM]>,
    addresses: Vec<libc::sockaddr_storage>,
    lengths: Vec<(usize, bool)>,
}

impl Default for Inbound {
    fn default() -> Self {
        Inbound { bytes: vec![[0; DATAGRAM]; BATCH], addresses: vec![empty_address(); BATCH], lengths: Vec::with_capacity(BATCH) }
    }
}

impl Inbound {
    /// Takes up to `BATCH` waiting datagrams; 0 when none wait.
    pub fn receive(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        self.lengths.clear();
        let mut vectors = [libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; BATCH];
        // SAFETY: all-zero is a valid mmsghdr (null pointers, zero lengths).
        let mut headers: [libc::mmsghdr; BATCH] = unsafe { std::mem::zeroed() };
        for i in 0..BATCH {
            vectors[i] = libc::iovec { iov_base: self.bytes[i].as_mut_ptr().cast(), iov_len: DATAGRAM };
            headers[i].msg_hdr.msg_iov = &mut vectors[i];
            headers[i].msg_hdr.msg_iovlen = 1;
            headers[i].msg_hdr.msg_name = (&raw mut self.addresses[i]).cast();
            headers[i].msg_hdr.msg_namelen = std::mem::size_of::<libc::sockaddr_storage>() as libc::socklen_t;
        }
        // SAFETY: every header points at its own live buffer, vector and address, none of which move during the call.
        let n = unsafe {
            libc::recvmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), BATCH as libc::c_uint, libc::MSG_DONTWAIT, std::ptr::null_mut())
        };
        match check(n) {
            Ok(n) => {
                let taken = headers.iter().take(n as usize);
                self.lengths.extend(taken.map(|h| (h.msg_len as usize, h.msg_hdr.msg_flags & libc::MSG_TRUNC != 0)));
                Ok(n as usize)
            }
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(0),
            Err(e) => Err(e),
        }
    }

    /// Datagram `i` of the last batch and where it came from; None if it was cut or has no usable address.
    pub fn get(&mut self, i: usize) -> Option<(SocketAddr, &mut [u8])> {
        let (len, cut) = *self.lengths.get(i)?;
        if cut {
            return None;
        }
        let address = from_storage(&self.addresses[i])?;
        Some((address, &mut self.bytes[i][..len]))
    }
}

/// Sends datagrams in one system call; returns how many were taken, in order.
pub fn send_batch(socket: &UdpSocket, batch: &[(SocketAddr, &[u8])]) -> io::Result<usize> {
    let mut addresses = [empty_address(); BATCH];
    let mut vectors = [libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; BATCH];
    // SAFETY: all-zero is a valid mmsghdr (null pointers, zero lengths).
    let mut headers: [libc::mmsghdr; BATCH] = unsafe { std::mem::zeroed() };
    let count = batch.len().min(BATCH);
    for (i, (to, bytes)) in batch.iter().take(count).enumerate() {
        let len = to_storage(*to, &mut addresses[i]);
        // sendmmsg only reads through this pointer.
        vectors[i] = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
        headers[i].msg_hdr.msg_iov = &mut vectors[i];
        headers[i].msg_hdr.msg_iovlen = 1;
        headers[i].msg_hdr.msg_name = (&raw mut addresses[i]).cast();
        headers[i].msg_hdr.msg_namelen = len;
    }
    // SAFETY: the first `count` headers point at live vectors, addresses and bytes that do not move during the call.
    let n = unsafe { libc::sendmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), count as libc::c_uint, libc::MSG_DONTWAIT) };
    check(n).map(|n| n as usize)
}

fn empty_address() -> libc::sockaddr_storage {
    // SAFETY: sockaddr_storage is plain bytes; all-zero is the unspecified family.
    unsafe { std::mem::zeroed() }
}

fn to_storage(address: SocketAddr, storage: &mut libc::sockaddr_storage) -> libc::socklen_t {
    match address {
        SocketAddr::V4(a) => {
            let value = libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: a.port().to_be(),
                sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(a.ip().octets()) },
                sin_zero: [0; 8],
            };
            // SAFETY: sockaddr_storage is at least as large and as aligned as sockaddr_in.
            unsafe { std::ptr::write((storage as *mut libc::sockaddr_storage).cast(), value) };
            std::mem::size_of::<libc::sockaddr_in>() as libc::socklen_t
        }
        SocketAddr::V6(a) => {
            let value = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: a.port().to_be(),
                sin6_flowinfo: a.flowinfo(),
                sin6_addr: libc::in6_addr { s6_addr: a.ip().octets() },
                sin6_scope_id: a.scope_id(),
            };
            // SAFETY: sockaddr_storage is at least as large and as aligned as sockaddr_in6.
            unsafe { std::ptr::write((storage as *mut libc::sockaddr_storage).cast(), value) };
            std::mem::size_of::<libc::sockaddr_in6>() as libc::socklen_t
        }
    }
}

fn from_storage(storage: &libc::sockaddr_storage) -> Option<SocketAddr> {
    let pointer: *const libc::sockaddr_storage = storage;
    match libc::c_int::from(storage.ss_family) {
        libc::AF_INET => {
            // SAFETY: the family says that the storage holds a sockaddr_in.
            let a = unsafe { &*pointer.cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from(a.sin_addr.s_addr.to_ne_bytes());
            Some(SocketAddr::from((ip, u16::from_be(a.sin_port))))
        }
        libc::AF_INET6 => {
            // SAFETY: the family says that the storage holds a sockaddr_in6.
            let a = unsafe { &*pointer.cast::<libc::sockaddr_in6>() };
            let ip = Ipv6Addr::from(a.sin6_addr.s6_addr);
            Some(SocketAddr::V6(std::net::SocketAddrV6::new(ip, u16::from_be(a.sin6_port), 0, a.sin6_scope_id)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_arrives_whole_in_order_and_with_its_sender() {
        for host in ["127.0.0.1:0", "[::1]:0"] {
            let (a, b) = (UdpSocket::bind(host).unwrap(), UdpSocket::bind(host).unwrap());
            let to = b.local_addr().unwrap();
            let payloads: Vec<Vec<u8>> = (0..10u8).map(|i| vec![i; 100 + usize::from(i)]).collect();
            let batch: Vec<(SocketAddr, &[u8])> = payloads.iter().map(|p| (to, p.as_slice())).collect();
            assert_eq!(send_batch(&a, &batch).unwrap(), 10);
            let mut inbound = Inbound::default();
            assert_eq!(inbound.receive(&b).unwrap(), 10);
            for (i, payload) in payloads.iter().enumerate() {
                let (from, bytes) = inbound.get(i).unwrap();
                assert_eq!((from, &*bytes), (a.local_addr().unwrap(), payload.as_slice()));
            }
            assert_eq!(inbound.receive(&b).unwrap(), 0);
        }
    }

    #[test]
    fn a_datagram_too_long_for_the_buffer_is_refused_not_cut() {
        let (a, b) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        a.send_to(&[1; DATAGRAM + 1], b.local_addr().unwrap()).unwrap();
        let mut inbound = Inbound::default();
        assert_eq!(inbound.receive(&b).unwrap(), 1);
        assert!(inbound.get(0).is_none());
    }

    #[test]
    fn an_eventfd_wakes_a_waiting_epoll_until_it_is_cleared() {
        let (epoll, event) = (Epoll::new().unwrap(), EventFd::new().unwrap());
        epoll.add(event.as_raw_fd(), 7).unwrap();
        let mut ready = Vec::new();
        epoll.wait(&mut ready, Some(Duration::ZERO)).unwrap();
        assert!(ready.is_empty());
        event.signal();
        epoll.wait(&mut ready, None).unwrap();
        assert_eq!(ready, vec![7]);
        event.clear();
        epoll.wait(&mut ready, Some(Duration::ZERO)).unwrap();
        assert!(ready.is_empty());
    }
}
