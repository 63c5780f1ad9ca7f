//! One shard thread: waits for its socket, its connections, its mailbox and its timers, and feeds the pure shard.
//!
//! A turn is: take every waiting datagram, run what is due, send everything in batches, tell the events.

use std::collections::HashMap;
use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::mpsc::Receiver;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiangtai_core::event::Event;
use jiangtai_core::fault::{self, Place};
use jiangtai_core::metrics::Metrics;
use jiangtai_core::outbox::Path;
use jiangtai_core::shard::Shard;

use crate::deck::Deck;
use crate::engine::{Input, Mailbox, Tuning};
use crate::errands::Errands;
use crate::load::{waiting_since, Load};
use crate::outgoing::Outgoing;
use crate::queue::EventQueue;
use crate::sys::{join_incoming, lost_incoming, Epoll, EventFd, Inbound, BATCH_IN};
use crate::tcp::{self, Connection, Handover, Progress};

const UDP: u64 = 0;
const WAKE: u64 = 1;
/// Connection numbers follow.
const FIRST_CONNECTION: u32 = 2;
/// Batches taken before timers and sending get their turn.
const BATCHES: usize = 8;
/// Connections one shard serves.
const CONNECTIONS: usize = 16_384;
/// How soon a tape or a command that could not be handed over is tried again.
const RETRY: Duration = Duration::from_millis(1);
/// Turns in a row that may panic before the thread gives up.
const PANICS: u32 = 8;

/// One thread's things.
pub struct Worker {
    pub shard: Shard,
    pub socket: UdpSocket,
    pub inputs: Receiver<Input>,
    pub wake: Arc<EventFd>,
    pub events: Arc<EventQueue>,
    pub metrics: Arc<Metrics>,
    /// The way to the recorder.
    pub deck: Arc<Deck>,
    /// The ways to all shards, in order.
    pub mailboxes: Vec<Mailbox>,
    pub tuning: Tuning,
}

struct Running {
    worker: Worker,
    epoll: Epoll,
    inbound: Inbound,
    connections: HashMap<u32, Connection>,
    next_connection: u32,
    most_connections: usize,
    /// Media that came in is played by then.
    held_until: Option<Instant>,
    /// What is read now came after this: it has gathered company for so long already.
    waiting_since: Instant,
    load: Load,
    outgoing: Outgoing,
    errands: Errands,
    stopping: bool,
}

impl Worker {
    /// Serves until told to stop or its mailbox is gone.
    pub fn run(self) -> io::Result<()> {
        self.ready()?.serve()
    }

    fn ready(mut self) -> io::Result<Running> {
        let tuning = self.tuning;
        self.shard.equalise = tuning.equalise;
        if tuning.join && !join_incoming(&self.socket) {
            eprintln!("media: the kernel does not join incoming datagrams");
        }
        let epoll = Epoll::new()?;
        epoll.add(self.socket.as_raw_fd(), UDP)?;
        epoll.add(self.wake.as_raw_fd(), WAKE)?;
        Ok(Running {
            errands: Errands::new(self.mailboxes.len()),
            worker: self,
            epoll,
            inbound: Inbound::default(),
            connections: HashMap::new(),
            next_connection: FIRST_CONNECTION,
            most_connections: CONNECTIONS,
            held_until: None,
            waiting_since: Instant::now(),
            load: Load::new(tuning.gather),
            outgoing: Outgoing::new(tuning.segment, tuning.batch),
            stopping: false,
        })
    }
}

impl Running {
    fn serve(&mut self) -> io::Result<()> {
        let mut ready = Vec::new();
        let mut panics = 0;
        let mut read = Instant::now();
        while !self.stopping {
            // A deck that was being emptied, a mailbox that was full: tried again soon.
            let unsent = !self.worker.shard.tape.is_empty() || self.errands.wait();
            let again = unsent.then(|| Instant::now() + RETRY);
            let due = self.worker.shard.next_timeout().into_iter().chain(self.held_until).chain(again).min();
            let begun = Instant::now();
            let timeout = due.map(|at| at.saturating_duration_since(begun));
            if self.held_until.is_some() {
                // What comes meanwhile waits in the socket: each wake-up for a part of it would cost as much as an answer.
                std::thread::sleep(timeout.unwrap_or_default());
                self.epoll.wait(&mut ready, Some(Duration::ZERO))?;
            } else {
                self.epoll.wait(&mut ready, timeout)?;
                self.waiting_since = waiting_since(read, begun, Instant::now());
                if ready.contains(&UDP) && !self.load.pause().is_zero() {
                    std::thread::sleep(self.load.pause());
                }
            }
            read = Instant::now();
            // The shard guards its own work; this is the last line. Descriptors that were not served are ready again.
            if catch_unwind(AssertUnwindSafe(|| self.turn(&mut ready))).is_ok() {
                panics = 0;
                continue;
            }
            self.worker.metrics.panics.inc();
            self.worker.shard.outbox.clear();
            panics += 1;
            if panics >= PANICS {
                return Err(io::Error::other("one panic after another"));
            }
        }
        Ok(())
    }

    fn turn(&mut self, ready: &mut Vec<u64>) {
        let now = Instant::now();
        fault::at(Place::Turn, || self.worker.shard.number() as u64);
        for token in ready.drain(..) {
            match token {
                UDP => self.datagrams(now),
                WAKE => {
                    self.worker.wake.clear();
                    self.mail(now);
                }
                connection => self.readable(now, connection as u32),
            }
        }
        self.worker.shard.timeout(now);
        let media = self.worker.shard.has_pending();
        self.play(now);
        self.worker.metrics.dropped_outbox_full.add(self.worker.shard.outbox.take_refused());
        self.flush(now);
        self.drop_unpaired(now);
        self.hand_over();
        self.worker.deck.offer(&mut self.worker.shard.tape);
        self.tell(now);
        self.load.worked(now, Instant::now(), media);
    }

    fn datagrams(&mut self, now: Instant) {
        for _ in 0..BATCHES {
            let Ok(count) = self.inbound.receive(&self.worker.socket) else {
                // An ICMP error of an earlier send, or a passing lack of memory: the next turn tries again.
                return self.worker.metrics.receive_errors.inc();
            };
            if count == 0 {
                return;
            }
            // Whoever sent these was told of us after we were told of them: mail first.
            self.mail(now);
            self.worker.metrics.batches_in.inc();
            self.load.received(count);
            let Running { worker: Worker { shard, metrics, .. }, inbound, .. } = self;
            inbound.each(|datagram| match datagram {
                Some((from, bytes)) => shard.receive(now, Path::udp(from), bytes),
                None => metrics.dropped_oversize.inc(),
            });
            if count < BATCH_IN {
                return;
            }
            // So much came that some may not have fitted.
            self.worker.metrics.dropped_receive_full.set(lost_incoming(&self.worker.socket));
        }
    }

    fn mail(&mut self, now: Instant) {
        // Bounded: what comes in meanwhile signals again.
        for _ in 0..1024 {
            match self.worker.inputs.try_recv() {
                Ok(Input::Command(command)) => self.worker.shard.command(now, command),
                Ok(Input::Relayed(batch)) => self.worker.shard.relayed(now, &batch),
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
        if self.connections.len() >= self.most_connections {
            // One peer's newest may have pushed out its oldest in this very turn.
            self.drop_unpaired(now);
        }
        if self.connections.len() >= self.most_connections {
            return self.worker.metrics.dropped_tcp_pending.inc();
        }
        let number = self.next_connection;
        self.next_connection = number.wrapping_add(1).max(FIRST_CONNECTION);
        if self.epoll.add(connection.stream.as_raw_fd(), u64::from(number)).is_err() {
            return self.worker.metrics.tcp_accept_errors.inc();
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
        if progress == Progress::Malformed {
            self.worker.metrics.dropped_tcp_framing.inc();
        }
        // Without a peer behind it a connection has no business here.
        if progress != Progress::Drained || !self.worker.shard.knows(path) {
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

    /// Plays what came in, unless it is worth waiting for more.
    fn play(&mut self, now: Instant) {
        let Running { worker, connections, outgoing, .. } = self;
        let Worker { shard, socket, metrics, .. } = worker;
        if !shard.has_pending() {
            self.held_until = None;
            return;
        }
        let window = self.load.window(shard.crowd());
        metrics.gather_us.set(window.as_micros() as u64);
        let due = *self.held_until.get_or_insert(self.waiting_since + window);
        if window.is_zero() || due <= now {
            self.held_until = None;
            // The clock is read anew: what reading and sending took here would look like a slow connection to who gets it last.
            shard.play_and_send(Instant::now(), &mut |outbox| {
                outgoing.send(now, outbox, socket, metrics, connections);
                Instant::now()
            });
        }
    }

    /// Hands over what other shards are to know or to play.
    fn hand_over(&mut self) {
        let Running { worker, errands, .. } = self;
        let Worker { shard, mailboxes, metrics, .. } = worker;
        shard.upward.drain(..).for_each(|(to, command)| errands.add(to, command, metrics));
        errands.run(mailboxes, metrics);
        shard.batches.drain(..).for_each(|(to, batch)| errands.relay(to, batch, mailboxes, metrics));
    }

    /// Sends everything the shard has put into its outbox.
    fn flush(&mut self, now: Instant) {
        let Running { worker, connections, outgoing, .. } = self;
        let Worker { shard, socket, metrics, .. } = worker;
        if !shard.outbox.is_empty() {
            outgoing.send(now, &mut shard.outbox, socket, metrics, connections);
        }
        if outgoing.touched.is_empty() {
            return;
        }
        let mut touched = std::mem::take(&mut outgoing.touched);
        for number in touched.drain(..) {
            self.write(now, number);
        }
        self.outgoing.touched = touched;
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

    /// Ends connections that had to make room for others of their peer: silent ones would stay for as long as it does.
    fn drop_unpaired(&mut self, now: Instant) {
        let mut unpaired = std::mem::take(&mut self.worker.shard.unpaired);
        for path in unpaired.drain(..) {
            // A check may have brought it back.
            if self.connections.contains_key(&path.tcp) && !self.worker.shard.knows(path) {
                self.worker.metrics.dropped_tcp_unpaired.inc();
                self.drop_connection(now, path.tcp);
            }
        }
        self.worker.shard.unpaired = unpaired;
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

#[cfg(test)]
mod tests;
