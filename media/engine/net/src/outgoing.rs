//! How the outbox leaves: datagrams in batches of runs, what goes over connections into their queues.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use jiangtai_core::metrics::Metrics;
use jiangtai_core::outbox::Outbox;

use crate::sys::{send_batch, wait_writable, Message, BATCH};
use crate::tcp::Connection;

/// Datagrams the kernel cuts from one run.
const SEGMENTS: usize = 64;
const _: () = assert!(SEGMENTS <= BATCH, "a run in pieces is one batch");
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
/// How long runs that could not be cut for a destination go there in pieces: routes and path MTUs change.
const AGAIN: Duration = Duration::from_secs(60);
/// Such destinations remembered; with the others it shows anew with every run.
const UNCUT: usize = 4096;

/// How the outbox leaves.
pub struct Outgoing {
    /// Runs are cut by the kernel.
    segment: bool,
    /// Messages handed over in one call, at most `BATCH`.
    together: usize,
    uncut: Uncut,
    /// Connections with something to write.
    pub touched: Vec<u32>,
}

impl Outgoing {
    /// With or without runs, with or without batches.
    pub fn new(segment: bool, batch: bool) -> Outgoing {
        Outgoing { segment, together: if batch { BATCH } else { 1 }, uncut: Uncut::default(), touched: Vec::new() }
    }

    /// Sends datagrams, queues what goes over connections; the outbox is empty afterwards.
    pub fn send(
        &mut self,
        now: Instant,
        outbox: &mut Outbox,
        socket: &UdpSocket,
        metrics: &Metrics,
        connections: &mut HashMap<u32, Connection>,
    ) {
        let Outgoing { segment, together, uncut, touched } = self;
        uncut.expire(now);
        let mut batch: [Message<'_>; BATCH] = [Message::new(NOWHERE, &[], 0); BATCH];
        let mut filled = 0;
        // What is lost on the way is taken off at the end: hardly ever anything is.
        let (mut sent, mut lost) = (Traffic::default(), Traffic::default());
        let mut put = |uncut: &mut Uncut, message| {
            batch[filled] = message;
            filled += 1;
            if filled == *together {
                lost.add(send(now, socket, metrics, batch.get(..filled).unwrap_or(&[]), uncut));
                filled = 0;
            }
        };
        for run in outbox.runs(if *segment { SEGMENTS } else { 1 }) {
            if run.to.is_tcp() {
                metrics.run(run.count);
                let Some(connection) = connections.get_mut(&run.to.tcp) else {
                    metrics.dropped_tcp_gone.add(run.count as u64);
                    continue;
                };
                for datagram in run.datagrams() {
                    match connection.queue(datagram) {
                        true => sent.add(Traffic { packets: 1, bytes: datagram.len() as u64 }),
                        false => metrics.dropped_tcp_full.inc(),
                    }
                }
                if touched.last() != Some(&run.to.tcp) {
                    touched.push(run.to.tcp);
                }
                continue;
            }
            sent.add(Traffic { packets: run.count as u64, bytes: run.bytes as u64 });
            if run.count > 1 && uncut.has(&run.to.remote) {
                for datagram in run.datagrams() {
                    metrics.run(1);
                    put(uncut, Message::new(run.to.remote, datagram, 0));
                }
            } else {
                metrics.run(run.count);
                let mut message = Message::new(run.to.remote, &[], if run.count > 1 { run.length as u16 } else { 0 });
                let mut spans = run.spans();
                message.spans.fill_with(|| spans.next().unwrap_or(&[]));
                put(uncut, message);
            }
        }
        lost.add(send(now, socket, metrics, batch.get(..filled).unwrap_or(&[]), uncut));
        metrics.packets_out.add(sent.packets.saturating_sub(lost.packets));
        metrics.bytes_out.add(sent.bytes.saturating_sub(lost.bytes));
        outbox.clear();
    }
}

/// Datagrams and their bytes.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Traffic {
    packets: u64,
    bytes: u64,
}

impl Traffic {
    /// Of messages.
    fn of(messages: &[Message<'_>]) -> Traffic {
        let bytes = messages.iter().flat_map(|message| message.spans).map(|span| span.len() as u64);
        Traffic { packets: messages.iter().map(datagrams).sum(), bytes: bytes.sum() }
    }

    fn add(&mut self, more: Traffic) {
        self.packets += more.packets;
        self.bytes += more.bytes;
    }
}

/// Destinations the network cannot cut runs for. The way to each decides, an interface or a path MTU below our datagrams, and
/// says nothing of the others.
#[derive(Debug, Default)]
struct Uncut {
    to: HashSet<SocketAddr>,
    /// When all are tried again.
    until: Option<Instant>,
}

impl Uncut {
    fn has(&self, to: &SocketAddr) -> bool {
        !self.to.is_empty() && self.to.contains(to)
    }

    fn add(&mut self, to: SocketAddr, now: Instant) {
        if self.to.len() < UNCUT {
            self.to.insert(to);
            self.until.get_or_insert(now + AGAIN);
        }
    }

    fn expire(&mut self, now: Instant) {
        if self.until.is_some_and(|until| until <= now) {
            *self = Uncut::default();
        }
    }
}

/// Sends one batch; what a full socket buffer does not take within a moment is dropped, as a full link would. Runs that cannot be
/// cut go in pieces. Returns what did not leave.
fn send(now: Instant, socket: &UdpSocket, metrics: &Metrics, mut batch: &[Message<'_>], uncut: &mut Uncut) -> Traffic {
    let mut lost = Traffic::default();
    let mut waited = false;
    while let Some(first) = batch.first() {
        metrics.batches_out.inc();
        match send_batch(socket, batch) {
            Ok(sent) => batch = batch.get(sent.max(1)..).unwrap_or(&[]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) if e.kind() == io::ErrorKind::WouldBlock || e.raw_os_error() == Some(libc::ENOBUFS) => {
                if waited || !wait_writable(socket, Duration::from_millis(2)) {
                    let rest = Traffic::of(batch);
                    metrics.dropped_send_full.add(rest.packets);
                    lost.add(rest);
                    return lost;
                }
                waited = true;
            }
            // The first message is the one that failed.
            Err(e) => {
                batch = batch.get(1..).unwrap_or(&[]);
                if first.piece == 0 {
                    metrics.send_errors.inc();
                    lost.add(Traffic::of(std::slice::from_ref(first)));
                    continue;
                }
                let failed = send_pieces(now, socket, metrics, first, uncut);
                lost.add(failed);
                // If the pieces do not go either, it is the destination that is refused.
                if failed.packets < datagrams(first) && matches!(e.raw_os_error(), Some(libc::EIO | libc::EINVAL)) {
                    uncut.add(first.to, now);
                }
            }
        }
    }
    lost
}

/// Sends a run as one datagram after another. Returns what did not leave.
fn send_pieces(now: Instant, socket: &UdpSocket, metrics: &Metrics, run: &Message<'_>, uncut: &mut Uncut) -> Traffic {
    let mut pieces = [Message::new(NOWHERE, &[], 0); BATCH];
    let mut count = 0;
    let bytes = run.spans.iter().flat_map(|span| span.chunks(usize::from(run.piece)));
    for (piece, bytes) in pieces.iter_mut().zip(bytes) {
        *piece = Message::new(run.to, bytes, 0);
        count += 1;
    }
    send(now, socket, metrics, pieces.get(..count).unwrap_or(&[]), uncut)
}

fn datagrams(message: &Message<'_>) -> u64 {
    match message.piece {
        0 => 1,
        piece => message.spans.iter().map(|span| span.len().div_ceil(usize::from(piece)) as u64).sum(),
    }
}

#[cfg(test)]
mod tests;
