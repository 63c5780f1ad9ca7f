//! Thin safe wrappers over the system calls the threads need: epoll, eventfd, batched datagrams, socket buffers.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use jiangtai_core::outbox::SPANS;

/// Messages sent per system call.
pub const BATCH: usize = 64;
/// Messages taken per system call; each may hold several datagrams.
pub const BATCH_IN: usize = 32;
/// Longest datagram we take.
pub const DATAGRAM: usize = 2048;
/// Memory for one incoming message: what the kernel may join.
const MESSAGE: usize = 65_536;

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

/// Sets an integer option of a socket.
pub fn set_option(socket: &impl AsRawFd, option: libc::c_int, value: libc::c_int) -> io::Result<()> {
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

/// Lets the kernel join datagrams of one sender that arrive together (UDP_GRO); false if it cannot.
pub fn join_incoming(socket: &UdpSocket) -> bool {
    let on: libc::c_int = 1;
    let len = std::mem::size_of_val(&on) as libc::socklen_t;
    // SAFETY: passes a pointer to a live integer and its size.
    unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_UDP, libc::UDP_GRO, (&raw const on).cast(), len) == 0 }
}

/// Datagrams the kernel has had no room for since the socket was made (SO_MEMINFO).
pub fn lost_incoming(socket: &UdpSocket) -> u64 {
    const DROPS: usize = 8;
    let mut figures = [0u32; DROPS + 1];
    let mut len = std::mem::size_of_val(&figures) as libc::socklen_t;
    // SAFETY: passes a live array and its size; the kernel writes no more than that.
    unsafe { libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_MEMINFO, figures.as_mut_ptr().cast(), &mut len) };
    u64::from(figures[DROPS])
}

/// Ancillary data of one message: one control message with an integer.
type Control = [u64; 4];

/// Memory for one batch of incoming messages.
pub struct Inbound {
    bytes: Vec<u8>,
    addresses: Vec<libc::sockaddr_storage>,
    controls: Vec<Control>,
    /// Per message: length, length of the datagrams it was joined from (0 = one datagram), cut short.
    taken: Vec<(usize, usize, bool)>,
}

impl Default for Inbound {
    fn default() -> Self {
        Inbound {
            bytes: vec![0; BATCH_IN * MESSAGE],
            addresses: vec![empty_address(); BATCH_IN],
            controls: vec![[0; 4]; BATCH_IN],
            taken: Vec::with_capacity(BATCH_IN),
        }
    }
}

impl Inbound {
    /// Takes up to `BATCH_IN` waiting messages; 0 when none wait.
    pub fn receive(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        self.taken.clear();
        let mut vectors = [libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; BATCH_IN];
        // SAFETY: all-zero is a valid mmsghdr (null pointers, zero lengths).
        let mut headers: [libc::mmsghdr; BATCH_IN] = unsafe { std::mem::zeroed() };
        for (i, space) in self.bytes.chunks_exact_mut(MESSAGE).enumerate() {
            vectors[i] = libc::iovec { iov_base: space.as_mut_ptr().cast(), iov_len: MESSAGE };
            let header = &mut headers[i].msg_hdr;
            header.msg_iov = &mut vectors[i];
            header.msg_iovlen = 1;
            header.msg_name = (&raw mut self.addresses[i]).cast();
            header.msg_namelen = std::mem::size_of::<libc::sockaddr_storage>() as libc::socklen_t;
            header.msg_control = (&raw mut self.controls[i]).cast();
            header.msg_controllen = std::mem::size_of::<Control>();
        }
        // SAFETY: every header points at its own live buffer, vector, address and control space, none of which move during the call.
        let n = unsafe {
            libc::recvmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), BATCH_IN as libc::c_uint, libc::MSG_DONTWAIT, std::ptr::null_mut())
        };
        match check(n) {
            Ok(n) => {
                let taken = headers.iter().take(n as usize);
                self.taken.extend(taken.map(|h| (h.msg_len as usize, joined_from(&h.msg_hdr), h.msg_hdr.msg_flags & libc::MSG_TRUNC != 0)));
                Ok(n as usize)
            }
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(0),
            Err(e) => Err(e),
        }
    }

    /// Gives every datagram of the last batch with its sender, in order; None for one that is too long or has no usable address.
    pub fn each(&mut self, mut take: impl FnMut(Option<(SocketAddr, &mut [u8])>)) {
        for ((space, address), (len, piece, cut)) in self.bytes.chunks_exact_mut(MESSAGE).zip(&self.addresses).zip(&self.taken) {
            let from = from_storage(address).filter(|_| !cut);
            let piece = if *piece == 0 { *len } else { *piece };
            let (Some(from), 1..=DATAGRAM) = (from, piece) else {
                take(from.filter(|_| *len == 0).map(|from| (from, &mut [][..])));
                continue;
            };
            space.get_mut(..*len).into_iter().flat_map(|bytes| bytes.chunks_mut(piece)).for_each(|datagram| take(Some((from, datagram))));
        }
    }
}

/// The length of the datagrams a received message was joined from, 0 if it is one datagram.
fn joined_from(header: &libc::msghdr) -> usize {
    // SAFETY: the kernel has filled the control buffer `header` points at, which is still live, and its length.
    let mut control = unsafe { libc::CMSG_FIRSTHDR(header) };
    while !control.is_null() {
        // SAFETY: the CMSG macros return pointers to whole control messages inside the buffer.
        unsafe {
            if (*control).cmsg_level == libc::SOL_UDP && (*control).cmsg_type == libc::UDP_GRO {
                return libc::CMSG_DATA(control).cast::<libc::c_int>().read_unaligned().max(0) as usize;
            }
            control = libc::CMSG_NXTHDR(header, control);
        }
    }
    0
}

/// Bytes to one address, cut by the kernel into datagrams of `piece` bytes, the last perhaps shorter (0 = one datagram).
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    pub to: SocketAddr,
    /// Where the bytes lie, in order.
    pub spans: [&'a [u8]; SPANS],
    pub piece: u16,
}

impl<'a> Message<'a> {
    pub fn new(to: SocketAddr, bytes: &'a [u8], piece: u16) -> Message<'a> {
        let mut spans: [&[u8]; SPANS] = [&[]; SPANS];
        spans[0] = bytes;
        Message { to, spans, piece }
    }
}

/// Sends messages in one system call; returns how many were taken, in order.
pub fn send_batch(socket: &UdpSocket, batch: &[Message<'_>]) -> io::Result<usize> {
    const VECTOR: libc::iovec = libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 };
    let count = batch.len().min(BATCH);
    let mut addresses = [std::mem::MaybeUninit::<libc::sockaddr_storage>::uninit(); BATCH];
    let mut controls: [Control; BATCH] = [[0; 4]; BATCH];
    let mut vectors = [[VECTOR; SPANS]; BATCH];
    // SAFETY: all-zero is a valid mmsghdr (null pointers, zero lengths).
    let mut headers: [libc::mmsghdr; BATCH] = unsafe { std::mem::zeroed() };
    for (i, message) in batch.iter().take(count).enumerate() {
        let address = addresses[i].write(empty_address());
        let len = to_storage(message.to, address);
        let filled = message.spans.iter().take_while(|span| !span.is_empty());
        let spans = vectors[i].iter_mut().zip(filled).map(|(vector, span)| {
            // sendmmsg only reads through this pointer.
            *vector = libc::iovec { iov_base: span.as_ptr().cast_mut().cast(), iov_len: span.len() };
        });
        let spans = spans.count();
        let header = &mut headers[i].msg_hdr;
        header.msg_iov = vectors[i].as_mut_ptr();
        header.msg_iovlen = spans;
        header.msg_name = (address as *mut libc::sockaddr_storage).cast();
        header.msg_namelen = len;
        if message.piece != 0 {
            header.msg_control = (&raw mut controls[i]).cast();
            // SAFETY: computes a length only.
            header.msg_controllen = unsafe { libc::CMSG_SPACE(2) } as usize;
            // SAFETY: the control space is live, aligned for a cmsghdr and larger than CMSG_SPACE(2), so the first header fits.
            unsafe {
                let control = libc::CMSG_FIRSTHDR(header);
                (*control).cmsg_level = libc::SOL_UDP;
                (*control).cmsg_type = libc::UDP_SEGMENT;
                (*control).cmsg_len = libc::CMSG_LEN(2) as usize;
                libc::CMSG_DATA(control).cast::<u16>().write_unaligned(message.piece);
            }
        }
    }
    // SAFETY: the first `count` headers point at live vectors, addresses, control spaces and bytes that do not move during the call.
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

    /// Everything that waits on a socket, as (sender, bytes); None for what was refused.
    fn all(inbound: &mut Inbound, socket: &UdpSocket) -> Vec<Option<(SocketAddr, Vec<u8>)>> {
        let mut found = Vec::new();
        while inbound.receive(socket).unwrap() > 0 {
            inbound.each(|datagram| found.push(datagram.map(|(from, bytes)| (from, bytes.to_vec()))));
        }
        found
    }

    #[test]
    fn a_batch_arrives_whole_in_order_and_with_its_sender() {
        for host in ["127.0.0.1:0", "[::1]:0"] {
            let (a, b) = (UdpSocket::bind(host).unwrap(), UdpSocket::bind(host).unwrap());
            let to = b.local_addr().unwrap();
            let payloads: Vec<Vec<u8>> = (0..10u8).map(|i| vec![i; 100 + usize::from(i)]).collect();
            let batch: Vec<Message<'_>> = payloads.iter().map(|bytes| Message::new(to, bytes, 0)).collect();
            assert_eq!(send_batch(&a, &batch).unwrap(), 10);
            let from = a.local_addr().unwrap();
            let expected: Vec<_> = payloads.into_iter().map(|payload| Some((from, payload))).collect();
            assert_eq!(all(&mut Inbound::default(), &b), expected);
        }
    }

    #[test]
    fn a_run_arrives_as_the_datagrams_it_was_made_of_joined_or_not() {
        for joined in [false, true] {
            let (a, b) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
            assert!(!joined || join_incoming(&b));
            let to = b.local_addr().unwrap();
            let bytes: Vec<u8> = (0..5100u32).map(|i| (i / 1200) as u8).collect();
            assert_eq!(send_batch(&a, &[Message::new(to, &bytes, 1200)]).unwrap(), 1);
            let from = a.local_addr().unwrap();
            let expected: Vec<_> = bytes.chunks(1200).map(|piece| Some((from, piece.to_vec()))).collect();
            assert_eq!(all(&mut Inbound::default(), &b), expected);
        }
    }

    #[test]
    fn a_datagram_longer_than_any_of_ours_is_refused_and_an_empty_one_is_one() {
        let (a, b) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        a.send_to(&[1; DATAGRAM + 1], b.local_addr().unwrap()).unwrap();
        a.send_to(&[], b.local_addr().unwrap()).unwrap();
        assert_eq!(all(&mut Inbound::default(), &b), vec![None, Some((a.local_addr().unwrap(), vec![]))]);
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
