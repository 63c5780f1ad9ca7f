//! How the outbox leaves: datagrams in batches of runs, what goes over connections into their queues.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use jiangtai_core::metrics::Metrics;
use jiangtai_core::outbox::Outbox;

use crate::sys::{send_batch, wait_writable, Message, BATCH};
use crate::tcp::Connection;

/// Datagrams the kernel cuts from one run.
const SEGMENTS: usize = 64;
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// How the outbox leaves.
pub struct Outgoing {
    /// Runs are cut by the kernel.
    segment: bool,
    /// Messages handed over in one call, at most `BATCH`.
    together: usize,
    /// Connections with something to write.
    pub touched: Vec<u32>,
}

impl Outgoing {
    /// With or without runs, with or without batches.
    pub fn new(segment: bool, batch: bool) -> Outgoing {
        Outgoing { segment, together: if batch { BATCH } else { 1 }, touched: Vec::new() }
    }

    /// Sends datagrams, queues what goes over connections; the outbox is empty afterwards.
    pub fn send(&mut self, outbox: &mut Outbox, socket: &UdpSocket, metrics: &Metrics, connections: &mut HashMap<u32, Connection>) {
        let mut batch: [Message<'_>; BATCH] = [Message::new(NOWHERE, &[], 0); BATCH];
        let mut filled = 0;
        let (mut packets, mut bytes) = (0u64, 0u64);
        for run in outbox.runs(if self.segment { SEGMENTS } else { 1 }) {
            packets += run.count as u64;
            bytes += run.bytes as u64;
            metrics.run(run.count);
            if run.to.is_tcp() {
                if let Some(connection) = connections.get_mut(&run.to.tcp) {
                    let lost = run.datagrams().filter(|datagram| !connection.queue(datagram)).count();
                    metrics.dropped_tcp_full.add(lost as u64);
                    if self.touched.last() != Some(&run.to.tcp) {
                        self.touched.push(run.to.tcp);
                    }
                }
                continue;
            }
            let message = &mut batch[filled];
            (message.to, message.piece) = (run.to.remote, if run.count > 1 { run.length as u16 } else { 0 });
            let mut spans = run.spans();
            message.spans.fill_with(|| spans.next().unwrap_or(&[]));
            filled += 1;
            if filled == self.together {
                self.segment &= send(socket, metrics, batch.get(..filled).unwrap_or(&[]));
                filled = 0;
            }
        }
        self.segment &= send(socket, metrics, batch.get(..filled).unwrap_or(&[]));
        metrics.packets_out.add(packets);
        metrics.bytes_out.add(bytes);
        outbox.clear();
    }
}

/// Sends one batch; what a full socket buffer does not take within a moment is dropped, as a full link would. False if the
/// network cannot cut runs.
fn send(socket: &UdpSocket, metrics: &Metrics, mut batch: &[Message<'_>]) -> bool {
    let mut waited = false;
    let mut cuts = true;
    while let Some(first) = batch.first() {
        metrics.batches_out.inc();
        match send_batch(socket, batch) {
            Ok(sent) => batch = batch.get(sent.max(1)..).unwrap_or(&[]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) if e.kind() == io::ErrorKind::WouldBlock || e.raw_os_error() == Some(libc::ENOBUFS) => {
                if waited || !wait_writable(socket, Duration::from_millis(2)) {
                    metrics.dropped_send_full.add(batch.iter().map(datagrams).sum());
                    return cuts;
                }
                waited = true;
            }
            // The first message is the one that failed. A run may go in pieces where the interface cannot cut it.
            Err(e) => {
                batch = batch.get(1..).unwrap_or(&[]);
                if first.piece == 0 {
                    metrics.send_errors.inc();
                    continue;
                }
                let mut goes = false;
                for bytes in first.spans.iter().flat_map(|span| span.chunks(usize::from(first.piece))) {
                    match send_batch(socket, &[Message::new(first.to, bytes, 0)]) {
                        Ok(_) => goes = true,
                        Err(_) => metrics.send_errors.inc(),
                    }
                }
                // If the pieces do not go either, it is the destination that is refused.
                cuts &= !(goes && matches!(e.raw_os_error(), Some(libc::EIO | libc::EINVAL)));
            }
        }
    }
    cuts
}

fn datagrams(message: &Message<'_>) -> u64 {
    match message.piece {
        0 => 1,
        piece => message.spans.iter().map(|span| span.len().div_ceil(usize::from(piece)) as u64).sum(),
    }
}

#[cfg(test)]
mod tests;
