//! Thin safe wrappers over the system calls std does not offer: epoll, batched datagrams with GRO and GSO, arrival times, CPU clocks.
//! The only file of this crate with `unsafe`.
#![allow(unsafe_code)]

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// Messages taken or sent per system call.
pub const BATCH: usize = 64;
/// Messages taken per call: each may be a whole run of datagrams.
pub const TAKE: usize = 16;
/// Longest run of datagrams the kernel hands over as one.
const RUN: usize = 65_536;
/// Room for two control messages.
const CONTROL: usize = 64;

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// A level-triggered epoll instance that never sleeps in the kernel: whoever sends to us must not pay for waking us.
pub struct Epoll(OwnedFd);

impl Epoll {
    pub fn new() -> io::Result<Epoll> {
        // SAFETY: no pointers; the returned descriptor is ours alone.
        let fd = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: `fd` was just created and is owned by nobody else.
        Ok(Epoll(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Tells when `fd` can be read, until it is closed.
    pub fn add(&self, fd: RawFd, token: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: token };
        // SAFETY: `event` outlives the call; bad descriptors are reported as errors.
        check(unsafe { libc::epoll_ctl(self.0.as_raw_fd(), libc::EPOLL_CTL_ADD, fd, &mut event) }).map(|_| ())
    }

    /// Puts the tokens of all ready descriptors into `ready`, without waiting.
    pub fn ready(&self, ready: &mut Vec<u64>) -> io::Result<()> {
        ready.clear();
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; 1024];
        // SAFETY: `events` has the stated length and outlives the call.
        match check(unsafe { libc::epoll_wait(self.0.as_raw_fd(), events.as_mut_ptr(), events.len() as libc::c_int, 0) }) {
            Ok(n) => ready.extend(events.iter().take(n as usize).map(|event| event.u64)),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
        Ok(())
    }
}

/// Sets an integer socket option.
fn set_option(socket: &UdpSocket, level: libc::c_int, option: libc::c_int, value: libc::c_int) -> io::Result<()> {
    let len = std::mem::size_of_val(&value) as libc::socklen_t;
    // SAFETY: passes a pointer to a live integer and its size.
    check(unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const value).cast(), len) }).map(|_| ())
}

/// A non-blocking socket with wide buffers; a receiving one takes runs of datagrams at once and learns when each arrived.
pub fn open(local: SocketAddr, receives: bool, buffer: usize) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(local)?;
    socket.set_nonblocking(true)?;
    for (force, plain) in [(libc::SO_RCVBUFFORCE, libc::SO_RCVBUF), (libc::SO_SNDBUFFORCE, libc::SO_SNDBUF)] {
        let forced = set_option(&socket, libc::SOL_SOCKET, force, buffer as libc::c_int);
        if forced.is_err() {
            set_option(&socket, libc::SOL_SOCKET, plain, buffer as libc::c_int)?;
        }
    }
    if receives {
        set_option(&socket, libc::SOL_UDP, libc::UDP_GRO, 1)?;
        set_option(&socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1)?;
    }
    Ok(socket)
}

/// Memory for what one socket has waiting; shared by all sockets of a thread.
pub struct Inbound {
    bytes: Vec<u8>,
    control: [[u64; CONTROL / 8]; TAKE],
    addresses: [libc::sockaddr_storage; TAKE],
    messages: Vec<Message>,
}

/// One message of a batch: a run of datagrams of `segment` bytes, the last maybe shorter.
#[derive(Clone, Copy)]
struct Message {
    len: usize,
    segment: usize,
    /// Nanoseconds since 1970, by the kernel.
    arrived: u64,
}

impl Default for Inbound {
    fn default() -> Inbound {
        Inbound {
            bytes: vec![0; TAKE * RUN],
            control: [[0; CONTROL / 8]; TAKE],
            addresses: [empty_address(); TAKE],
            messages: Vec::with_capacity(TAKE),
        }
    }
}

impl Inbound {
    /// Takes what waits, at most so many messages or 16; returns whether there may be more.
    pub fn receive(&mut self, socket: &UdpSocket, most: usize) -> io::Result<bool> {
        self.messages.clear();
        let mut vectors = [libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; TAKE];
        // SAFETY: all-zero is a valid mmsghdr (null pointers, zero lengths).
        let mut headers: [libc::mmsghdr; TAKE] = unsafe { std::mem::zeroed() };
        let most = most.min(TAKE);
        for (i, buffer) in self.bytes.chunks_exact_mut(RUN).take(most).enumerate() {
            vectors[i] = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: RUN };
            let header = &mut headers[i].msg_hdr;
            header.msg_iov = &mut vectors[i];
            header.msg_iovlen = 1;
            header.msg_control = self.control[i].as_mut_ptr().cast();
            header.msg_controllen = CONTROL as _;
            header.msg_name = (&raw mut self.addresses[i]).cast();
            header.msg_namelen = std::mem::size_of::<libc::sockaddr_storage>() as libc::socklen_t;
        }
        let flags = libc::MSG_DONTWAIT;
        // SAFETY: every header points at its own live buffer, vector, control space and address, none of which move during the call.
        let n = unsafe { libc::recvmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), most as libc::c_uint, flags, std::ptr::null_mut()) };
        let taken = match check(n) {
            Ok(n) => n as usize,
            // A port that was closed on the other side is told to us here; it changes nothing.
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted | io::ErrorKind::ConnectionRefused) => 0,
            Err(e) => return Err(e),
        };
        for header in headers.iter().take(taken) {
            let len = header.msg_len as usize;
            let (segment, arrived) = read_control(&header.msg_hdr);
            self.messages.push(Message { len, segment: segment.unwrap_or(len).max(1), arrived: arrived.unwrap_or(0) });
        }
        Ok(taken == most)
    }

    /// How many messages the last batch has.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Message `i`: sender, nanoseconds since 1970 when it arrived, its datagrams. None if it has no usable address.
    pub fn get(&mut self, i: usize) -> Option<(SocketAddr, u64, std::slice::ChunksMut<'_, u8>)> {
        let Message { len, segment, arrived } = *self.messages.get(i)?;
        let from = from_storage(self.addresses.get(i)?)?;
        let run = self.bytes.get_mut(i * RUN..i * RUN + len)?;
        Some((from, arrived, run.chunks_mut(segment)))
    }
}

/// (segment size of a run, arrival in nanoseconds since 1970), each if the kernel told.
fn read_control(header: &libc::msghdr) -> (Option<usize>, Option<u64>) {
    let (mut segment, mut arrived) = (None, None);
    // SAFETY: the kernel filled the header's control space with whole, aligned control messages and set its length.
    let mut next = unsafe { libc::CMSG_FIRSTHDR(header) };
    while !next.is_null() {
        // SAFETY: CMSG_FIRSTHDR and CMSG_NXTHDR return pointers to whole headers inside the control space.
        let message = unsafe { &*next };
        match (message.cmsg_level, message.cmsg_type) {
            (libc::SOL_UDP, libc::UDP_GRO) => {
                // SAFETY: this kind carries one int.
                let size = unsafe { std::ptr::read_unaligned(libc::CMSG_DATA(next).cast::<libc::c_int>()) };
                segment = usize::try_from(size).ok();
            }
            (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => {
                // SAFETY: this kind carries one timespec.
                let time = unsafe { std::ptr::read_unaligned(libc::CMSG_DATA(next).cast::<libc::timespec>()) };
                arrived = Some(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64);
            }
            _ => {}
        }
        // SAFETY: `next` came from this header.
        next = unsafe { libc::CMSG_NXTHDR(header, next) };
    }
    (segment, arrived)
}

/// Bytes for one receiver; with `segment`, several datagrams of that size in one.
#[derive(Clone, Copy)]
pub struct Outgoing<'a> {
    pub to: SocketAddr,
    pub bytes: &'a [u8],
    pub segment: Option<u16>,
}

/// Sends up to `BATCH` messages in one system call; returns how many were taken, in order.
pub fn send_batch(socket: &UdpSocket, batch: &[Outgoing<'_>]) -> io::Result<usize> {
    let mut addresses = [empty_address(); BATCH];
    let mut vectors = [libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; BATCH];
    let mut control = [[0u64; 3]; BATCH];
    // SAFETY: all-zero is a valid mmsghdr (null pointers, zero lengths).
    let mut headers: [libc::mmsghdr; BATCH] = unsafe { std::mem::zeroed() };
    let count = batch.len().min(BATCH);
    for (i, message) in batch.iter().take(count).enumerate() {
        let len = to_storage(message.to, &mut addresses[i]);
        // sendmmsg only reads through this pointer.
        vectors[i] = libc::iovec { iov_base: message.bytes.as_ptr().cast_mut().cast(), iov_len: message.bytes.len() };
        let header = &mut headers[i].msg_hdr;
        header.msg_iov = &mut vectors[i];
        header.msg_iovlen = 1;
        header.msg_name = (&raw mut addresses[i]).cast();
        header.msg_namelen = len;
        if let Some(segment) = message.segment {
            header.msg_control = control[i].as_mut_ptr().cast();
            // SAFETY: plain arithmetic on a constant.
            header.msg_controllen = unsafe { libc::CMSG_SPACE(2) } as _;
            // SAFETY: the control space is aligned, zeroed and has room for one header and two bytes (24 bytes), as the length says.
            unsafe {
                let first = libc::CMSG_FIRSTHDR(header);
                (*first).cmsg_level = libc::SOL_UDP;
                (*first).cmsg_type = libc::UDP_SEGMENT;
                (*first).cmsg_len = libc::CMSG_LEN(2) as _;
                std::ptr::write_unaligned(libc::CMSG_DATA(first).cast::<u16>(), segment);
            }
        }
    }
    // SAFETY: the first `count` headers point at live vectors, addresses, control space and bytes that do not move during the call.
    let n = unsafe { libc::sendmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), count as libc::c_uint, libc::MSG_DONTWAIT) };
    check(n).map(|n| n as usize)
}

/// CPU this thread has used so far: (user, system) as the kernel accounts it, and the exact sum.
pub fn thread_cpu() -> (Duration, Duration, Duration) {
    // SAFETY: all-zero is a valid rusage.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    let mut clock = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: both calls write one live struct of the right type and cannot fail with these arguments.
    unsafe {
        libc::getrusage(libc::RUSAGE_THREAD, &mut usage);
        libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut clock);
    }
    let span = |t: libc::timeval| Duration::new(t.tv_sec as u64, t.tv_usec as u32 * 1000);
    (span(usage.ru_utime), span(usage.ru_stime), Duration::new(clock.tv_sec as u64, clock.tv_nsec as u32))
}

/// Lets this process open as many files as the system allows; returns how many that is.
pub fn raise_file_limit() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: reads into and from one live struct.
    unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit);
        limit.rlim_cur = limit.rlim_max;
        libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
    }
    limit.rlim_cur
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
            unsafe { std::ptr::write((&raw mut *storage).cast(), value) };
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
            unsafe { std::ptr::write((&raw mut *storage).cast(), value) };
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
            Some(SocketAddr::from((Ipv4Addr::from(a.sin_addr.s_addr.to_ne_bytes()), u16::from_be(a.sin_port))))
        }
        libc::AF_INET6 => {
            // SAFETY: the family says that the storage holds a sockaddr_in6.
            let a = unsafe { &*pointer.cast::<libc::sockaddr_in6>() };
            let ip = Ipv6Addr::from(a.sin6_addr.s6_addr);
            Some(SocketAddr::V6(SocketAddrV6::new(ip, u16::from_be(a.sin6_port), 0, a.sin6_scope_id)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    fn pair(host: &str) -> (UdpSocket, UdpSocket) {
        let local = host.parse().unwrap();
        (open(local, false, 1 << 20).unwrap(), open(local, true, 1 << 20).unwrap())
    }

    #[test]
    fn a_run_sent_as_one_arrives_as_its_datagrams_with_time_and_sender() {
        for host in ["127.0.0.1:0", "[::1]:0"] {
            let (a, b) = pair(host);
            let bytes: Vec<u8> = (0..2500u32).map(|i| i as u8).collect();
            let run = Outgoing { to: b.local_addr().unwrap(), bytes: &bytes, segment: Some(1000) };
            let single = Outgoing { segment: None, bytes: &bytes[..10], ..run };
            assert_eq!(send_batch(&a, &[run, single]).unwrap(), 2);
            let mut inbound = Inbound::default();
            let mut got = Vec::new();
            assert!(!inbound.receive(&b, TAKE).unwrap());
            for i in 0..inbound.len() {
                let (from, arrived, datagrams) = inbound.get(i).unwrap();
                assert_eq!(from, a.local_addr().unwrap());
                let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as u64;
                assert!(arrived <= now && now - arrived < 5_000_000_000);
                got.extend(datagrams.map(|d| d.to_vec()));
            }
            assert_eq!(got.iter().map(Vec::len).collect::<Vec<_>>(), [1000, 1000, 500, 10]);
            assert_eq!(got[..3].concat(), bytes);
            inbound.receive(&b, TAKE).unwrap();
            assert_eq!(inbound.len(), 0);
        }
    }

    #[test]
    fn a_readable_socket_is_ready_until_it_is_read() {
        let (a, b) = pair("127.0.0.1:0");
        let epoll = Epoll::new().unwrap();
        epoll.add(b.as_raw_fd(), 7).unwrap();
        let mut ready = Vec::new();
        epoll.ready(&mut ready).unwrap();
        assert!(ready.is_empty());
        a.send_to(b"x", b.local_addr().unwrap()).unwrap();
        epoll.ready(&mut ready).unwrap();
        assert_eq!(ready, vec![7]);
        Inbound::default().receive(&b, TAKE).unwrap();
        epoll.ready(&mut ready).unwrap();
        assert!(ready.is_empty());
    }

    #[test]
    fn work_shows_on_the_thread_clock() {
        let before = thread_cpu().2;
        let mut sum = 0u64;
        while thread_cpu().2 < before + Duration::from_millis(2) {
            sum = sum.wrapping_add(1);
        }
        assert!(sum > 0);
    }
}
