//! One shard thread: waits for its socket, its connections, its mailbox and its timers, and feeds the pure shard.
//!
//! A turn is: take every waiting datagram, run what is due, send everything in batches, tell the events.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::mpsc::Receiver;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiangtai_core::event::Event;
use jiangtai_core::metrics::Metrics;
use jiangtai_core::outbox::Path;
use jiangtai_core::shard::Shard;

use crate::engine::Input;
use crate::queue::EventQueue;
use crate::sys::{send_batch, wait_writable, Epoll, EventFd, Inbound, BATCH};
use crate::tcp::{self, Connection, Handover, Progress};

const UDP: u64 = 0;
const WAKE: u64 = 1;
/// Connection numbers follow.
const FIRST_CONNECTION: u32 = 2;
/// Batches taken before timers and sending get their turn.
const BATCHES: usize = 8;
/// Connections one shard serves.
const CONNECTIONS: usize = 16_384;

/// One thread's things.
pub struct Worker {
    pub shard: Shard,
    pub socket: UdpSocket,
    pub inputs: Receiver<Input>,
    pub wake: Arc<EventFd>,
    pub events: Arc<EventQueue>,
    pub metrics: Arc<Metrics>,
}

struct Running {
    worker: Worker,
    epoll: Epoll,
    inbound: Inbound,
    connections: HashMap<u32, Connection>,
    next_connection: u32,
    stopping: bool,
}

impl Worker {
    /// Serves until told to stop or its mailbox is gone.
    pub fn run(self) -> io::Result<()> {
        let epoll = Epoll::new()?;
        epoll.add(self.socket.as_raw_fd(), UDP)?;
        epoll.add(self.wake.as_raw_fd(), WAKE)?;
        let mut running = Running {
            worker: self,
            epoll,
            inbound: Inbound::default(),
            connections: HashMap::new(),
            next_connection: FIRST_CONNECTION,
            stopping: false,
        };
        running.serve()
    }
}

impl Running {
    fn serve(&mut self) -> io::Result<()> {
        let mut ready = Vec::new();
        while !self.stopping {
            let timeout = self.worker.shard.next_timeout().map(|at| at.saturating_duration_since(Instant::now()));
            self.epoll.wait(&mut ready, timeout)?;
            let now = Instant::now();
            for token in ready.drain(..) {
                match token {
                    UDP => self.datagrams(now),
                    WAKE => self.mail(now),
                    connection => self.readable(now, connection as u32),
                }
            }
            self.worker.shard.timeout(now);
            self.flush(now);
            self.tell(now);
        }
        Ok(())
    }

    fn datagrams(&mut self, now: Instant) {
        for _ in 0..BATCHES {
            let Ok(count) = self.inbound.receive(&self.worker.socket) else {
                // An ICMP error of an earlier send, or a passing lack of memory: the next turn tries again.
                self.worker.metrics.receive_errors.inc();
                break;
            };
            if count == 0 {
                break;
            }
            self.worker.metrics.batches_in.inc();
            for i in 0..count {
                match self.inbound.get(i) {
                    Some((from, bytes)) => self.worker.shard.receive(now, Path::udp(from), bytes),
                    None => self.worker.metrics.dropped_oversize.inc(),
                }
            }
            if count < BATCH {
                break;
            }
        }
    }

    fn mail(&mut self, now: Instant) {
        self.worker.wake.clear();
        // Bounded: what comes in meanwhile signals again.
        for _ in 0..1024 {
            match self.worker.inputs.try_recv() {
                Ok(Input::Command(command)) => self.worker.shard.command(now, command),
                Ok(Input::Connection(handover)) => self.adopt(now, *handover),
                Ok(Input::Stop) => {
                    self.stopping = true;
                    return;
                }
                Err(std::sync::mpsc::TryRecvError::Empty) => return,
                Err(std::sync::mpsc::TryRecvError::Disconnected) => {
                    self.stopping = true;
                    return;
                }
            }
        }
        self.worker.wake.signal();
    }

    fn adopt(&mut self, now: Instant, handover: Handover) {
        let Handover { connection, mut first } = handover;
        if self.connections.len() >= CONNECTIONS {
            return self.worker.metrics.dropped_tcp_pending.inc();
        }
        let number = self.next_connection;
        self.next_connection = number.wrapping_add(1).max(FIRST_CONNECTION);
        if self.epoll.add(connection.stream.as_raw_fd(), u64::from(number)).is_err() {
            return;
        }
        self.worker.metrics.tcp_accepted.inc();
        let path = tcp::path(connection.remote, number);
        self.connections.insert(number, connection);
        self.worker.shard.receive(now, path, &mut first);
        if !self.worker.shard.knows(path) {
            return self.drop_connection(now, number);
        }
        // More frames may have arrived behind the first.
        self.readable(now, number);
    }

    fn readable(&mut self, now: Instant, number: u32) {
        let Some(connection) = self.connections.get_mut(&number) else { return };
        let path = tcp::path(connection.remote, number);
        let shard = &mut self.worker.shard;
        let progress = connection.read(|frame| {
            shard.receive(now, path, frame);
            true
        });
        // Without a peer behind it a connection has no business here.
        if progress == Progress::Over || !self.worker.shard.knows(path) {
            self.drop_connection(now, number);
        } else if self.connections.get(&number).is_some_and(Connection::has_unsent) {
            self.write(now, number);
        }
    }

    fn drop_connection(&mut self, now: Instant, number: u32) {
        if let Some(connection) = self.connections.remove(&number) {
            self.epoll.remove(connection.stream.as_raw_fd());
            self.worker.shard.connection_lost(now, tcp::path(connection.remote, number));
        }
        self.worker.metrics.tcp_connections.set(self.connections.len() as u64);
    }

    /// Sends everything the shard has put into its outbox.
    fn flush(&mut self, now: Instant) {
        let Running { worker, connections, .. } = self;
        if worker.shard.outbox.is_empty() {
            return;
        }
        let mut batch: Vec<(SocketAddr, &[u8])> = Vec::with_capacity(BATCH);
        let mut touched = Vec::new();
        let (mut packets, mut bytes) = (0u64, 0u64);
        for (to, datagram) in worker.shard.outbox.iter() {
            packets += 1;
            bytes += datagram.len() as u64;
            if to.is_tcp() {
                if let Some(connection) = connections.get_mut(&to.tcp) {
                    if !connection.queue(datagram) {
                        worker.metrics.dropped_tcp_full.inc();
                    }
                    if touched.last() != Some(&to.tcp) {
                        touched.push(to.tcp);
                    }
                }
                continue;
            }
            batch.push((to.remote, datagram));
            if batch.len() == BATCH {
                send(&worker.socket, &worker.metrics, &batch);
                batch.clear();
            }
        }
        send(&worker.socket, &worker.metrics, &batch);
        worker.metrics.packets_out.add(packets);
        worker.metrics.bytes_out.add(bytes);
        worker.shard.outbox.clear();
        for number in touched {
            self.write(now, number);
        }
        self.worker.metrics.tcp_connections.set(self.connections.len() as u64);
    }

    fn write(&mut self, now: Instant, number: u32) {
        let Some(connection) = self.connections.get_mut(&number) else { return };
        if connection.flush().is_err() {
            return self.drop_connection(now, number);
        }
        let unsent = connection.has_unsent();
        if unsent != connection.watching_writable {
            connection.watching_writable = unsent;
            let _ = self.epoll.watch_writable(connection.stream.as_raw_fd(), u64::from(number), unsent);
        }
    }

    fn tell(&mut self, now: Instant) {
        let events = &mut self.worker.shard.events;
        if events.is_empty() {
            return;
        }
        let someone_left = events.iter().any(|event| matches!(event, Event::Closed { .. }));
        let dropped = self.worker.events.push(events.drain(..));
        self.worker.metrics.events_dropped.add(dropped);
        if someone_left {
            self.drop_ownerless(now);
        }
    }

    /// Ends connections whose peer is gone.
    fn drop_ownerless(&mut self, now: Instant) {
        let shard = &self.worker.shard;
        let ownerless =
            |(number, connection): (&u32, &Connection)| (!shard.knows(tcp::path(connection.remote, *number))).then_some(*number);
        let gone: Vec<u32> = self.connections.iter().filter_map(ownerless).collect();
        gone.into_iter().for_each(|number| self.drop_connection(now, number));
    }
}

/// Sends one batch; what a full socket buffer does not take within a moment is dropped, as a full link would.
fn send(socket: &UdpSocket, metrics: &Metrics, mut batch: &[(SocketAddr, &[u8])]) {
    let mut waited = false;
    while !batch.is_empty() {
        metrics.batches_out.inc();
        match send_batch(socket, batch) {
            Ok(sent) => batch = batch.get(sent.max(1)..).unwrap_or(&[]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) if e.kind() == io::ErrorKind::WouldBlock || e.raw_os_error() == Some(libc::ENOBUFS) => {
                if waited || !wait_writable(socket, Duration::from_millis(2)) {
                    metrics.dropped_send_full.add(batch.len() as u64);
                    return;
                }
                waited = true;
            }
            // The first datagram's destination is unreachable or its size impossible: only that one is lost.
            Err(_) => {
                metrics.send_errors.inc();
                batch = &batch[1..];
            }
        }
    }
}
