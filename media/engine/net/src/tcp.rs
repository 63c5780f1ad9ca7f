//! Passive ICE-TCP (RFC 6544): framed connections on a shard, and the door that hands new ones over.
//!
//! The door keeps a connection only until its first frame, which must be a STUN request naming a peer's fragment; then
//! the peer's shard owns it. Connections, their buffers and their time at the door are bounded: where too many wait, the one
//! that has waited longest goes, so that silent ones do not shut the door on those who come with a check.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiangtai_core::framing::Decoder;
use jiangtai_core::metrics::Metrics;
use jiangtai_core::outbox::Path;
use jiangtai_core::stun;

use crate::directory::Directory;
use crate::engine::{Input, Mailbox};
use crate::sys::{bound_unsent, Epoll, EventFd, DATAGRAM};

/// Connections waiting at the door.
const WAITING: usize = 512;
/// How long one may wait there.
const PATIENCE: Duration = Duration::from_secs(10);
/// Unsent bytes kept per connection; more means the reader is too slow, and datagrams are dropped like on any full link.
const BACKLOG: usize = 256 * 1024;

/// A connection with its framing.
pub struct Connection {
    pub stream: TcpStream,
    pub remote: SocketAddr,
    decoder: Decoder,
    unsent: Vec<u8>,
    pub watching_writable: bool,
}

/// What reading a connection gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Nothing more for now.
    Drained,
    /// Closed or failed.
    Over,
    /// Not framed as agreed.
    Malformed,
}

impl Connection {
    pub fn new(stream: TcpStream, remote: SocketAddr) -> io::Result<Connection> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        bound_unsent(&stream, BACKLOG)?;
        Ok(Connection { stream, remote, decoder: Decoder::new(DATAGRAM), unsent: Vec::new(), watching_writable: false })
    }

    /// Reads what is there and gives each frame to `frame`, which says whether to go on.
    pub fn read(&mut self, mut frame: impl FnMut(&mut [u8]) -> bool) -> Progress {
        for _ in 0..16 {
            loop {
                match self.decoder.next_frame() {
                    Ok(Some(bytes)) => {
                        if !frame(bytes) {
                            return Progress::Drained;
                        }
                    }
                    Ok(None) => break,
                    Err(_) => return Progress::Malformed,
                }
            }
            match self.stream.read(self.decoder.space()) {
                Ok(0) => return Progress::Over,
                Ok(n) => self.decoder.filled(n),
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Progress::Drained,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Progress::Over,
            }
        }
        Progress::Drained
    }

    /// Queues one frame; false if the backlog is full.
    pub fn queue(&mut self, datagram: &[u8]) -> bool {
        let Ok(len) = u16::try_from(datagram.len()) else { return false };
        if self.unsent.len() + datagram.len() + 2 > BACKLOG {
            return false;
        }
        self.unsent.extend_from_slice(&len.to_be_bytes());
        self.unsent.extend_from_slice(datagram);
        true
    }

    /// Writes as much as goes; Err when the connection is broken.
    pub fn flush(&mut self) -> io::Result<()> {
        let mut sent = 0;
        let result = loop {
            match self.stream.write(&self.unsent[sent..]) {
                _ if sent == self.unsent.len() => break Ok(()),
                Ok(0) => break Err(ErrorKind::WriteZero.into()),
                Ok(n) => sent += n,
                Err(e) if e.kind() == ErrorKind::WouldBlock => break Ok(()),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => break Err(e),
            }
        };
        self.unsent.drain(..sent);
        result
    }

    pub fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }
}

/// A connection on its way to a shard, with its first frame.
pub struct Handover {
    pub connection: Connection,
    pub first: Vec<u8>,
}

/// The listener thread.
pub struct Door {
    pub listener: TcpListener,
    pub directory: Arc<Directory>,
    pub mailboxes: Vec<Mailbox>,
    /// The first shard's: the door's share is counted there.
    pub metrics: Arc<Metrics>,
    pub stop: Arc<AtomicBool>,
    pub wake: Arc<EventFd>,
}

/// Connections that have not said anything yet, in order of arrival.
type Waiting = BTreeMap<u64, (Connection, Instant)>;

const LISTENER: u64 = 0;
const WAKE: u64 = 1;

impl Door {
    /// Serves until told to stop.
    pub fn run(self) -> io::Result<()> {
        let epoll = Epoll::new()?;
        self.listener.set_nonblocking(true)?;
        epoll.add(self.listener.as_raw_fd(), LISTENER)?;
        epoll.add(self.wake.as_raw_fd(), WAKE)?;
        let mut waiting = Waiting::new();
        let mut next = WAKE + 1;
        let mut ready = Vec::new();
        while !self.stop.load(Relaxed) {
            epoll.wait(&mut ready, Some(Duration::from_secs(1)))?;
            let now = Instant::now();
            for token in ready.drain(..) {
                match token {
                    LISTENER => self.accept(&epoll, &mut waiting, &mut next, now),
                    WAKE => self.wake.clear(),
                    token => self.first_frame(&epoll, &mut waiting, token),
                }
            }
            while waiting.first_entry().is_some_and(|first| now.saturating_duration_since(first.get().1) >= PATIENCE) {
                self.turn_away(&mut waiting);
            }
        }
        Ok(())
    }

    /// Closes the connection that has waited longest.
    fn turn_away(&self, waiting: &mut Waiting) {
        if let Some(longest) = waiting.pop_first() {
            // Counted before it can be seen.
            self.metrics.dropped_tcp_silent.inc();
            drop(longest);
        }
    }

    fn accept(&self, epoll: &Epoll, waiting: &mut Waiting, next: &mut u64, now: Instant) {
        for _ in 0..64 {
            match self.listener.accept() {
                Ok((stream, remote)) => {
                    if waiting.len() >= WAITING {
                        self.turn_away(waiting);
                    }
                    match Connection::new(stream, remote).and_then(|new| epoll.add(new.stream.as_raw_fd(), *next).map(|()| new)) {
                        Ok(connection) => {
                            waiting.insert(*next, (connection, now));
                            *next += 1;
                        }
                        Err(_) => self.metrics.tcp_accept_errors.inc(),
                    }
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => return,
                // Out of descriptors or a client that left: leave the rest for the next turn.
                Err(_) => {
                    self.metrics.tcp_accept_errors.inc();
                    std::thread::sleep(Duration::from_millis(10));
                    return;
                }
            }
        }
    }

    fn first_frame(&self, epoll: &Epoll, waiting: &mut Waiting, token: u64) {
        let Some((connection, _)) = waiting.get_mut(&token) else { return };
        let mut first = None;
        let progress = connection.read(|frame| {
            first = Some(frame.to_vec());
            false
        });
        match (first, progress) {
            (None, Progress::Drained) => {}
            (None, Progress::Over) => {
                waiting.remove(&token);
            }
            (None, Progress::Malformed) => {
                self.metrics.dropped_tcp_framing.inc();
                waiting.remove(&token);
            }
            (Some(first), _) => {
                let Some((connection, _)) = waiting.remove(&token) else { return };
                epoll.remove(connection.stream.as_raw_fd());
                let shard = stun::Message::parse(&first).ok().and_then(|m| self.directory.shard_of_ufrag(m.local_ufrag()?));
                match shard.and_then(|shard| self.mailboxes.get(shard)) {
                    // A full mailbox closes the connection; the client tries again.
                    Some(mailbox) => {
                        if mailbox.send(Input::Connection(Box::new(Handover { connection, first }))).is_err() {
                            self.metrics.dropped_tcp_pending.inc();
                        }
                    }
                    None => self.metrics.dropped_tcp_unknown.inc(),
                }
            }
        }
    }
}

/// A connection's path: its number makes it unlike any UDP path from the same address.
pub fn path(remote: SocketAddr, number: u32) -> Path {
    Path { remote, tcp: number }
}
