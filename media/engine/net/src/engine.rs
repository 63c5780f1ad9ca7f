//! The engine as its embedder sees it: start threads, post commands, drain events, read metrics.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::RawFd;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{sync_channel, Receiver, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use jiangtai_core::clock::Clock;
use jiangtai_core::command::{AddMirror, AddTrack, Command};
use jiangtai_core::dtls::Identity;
use jiangtai_core::event::Event;
use jiangtai_core::metrics::Metrics;
use jiangtai_core::relay::Batch;
use jiangtai_core::shard::Shard;

use crate::directory::Directory;
use crate::queue::EventQueue;
use crate::recorder::{Recorder, Request};
use crate::sys::{widen_buffers, EventFd};
use crate::tcp::{Door, Handover};
use crate::worker::Worker;

/// Socket buffer asked for, bytes.
const BUFFERS: usize = 4 << 20;

/// What a shard thread is sent.
pub enum Input {
    Command(Command),
    /// Media from another shard.
    Relayed(Box<Batch>),
    Connection(Box<Handover>),
    Stop,
}

/// The sending end of a shard's bounded ring.
#[derive(Clone)]
pub struct Mailbox {
    sender: SyncSender<Input>,
    pub wake: Arc<EventFd>,
}

impl Mailbox {
    /// A ring for so many inputs, and where they come out.
    pub fn new(size: usize) -> io::Result<(Mailbox, Receiver<Input>)> {
        let (sender, inputs) = sync_channel(size.max(1));
        Ok((Mailbox { sender, wake: Arc::new(EventFd::new()?) }, inputs))
    }

    /// Never waits; gives the input back when the ring is full or the thread is gone.
    pub fn send(&self, input: Input) -> Result<(), Input> {
        self.offer(input).map_err(|(TrySendError::Full(input) | TrySendError::Disconnected(input))| input)
    }

    /// The same for who must know which of the two it is.
    pub fn offer(&self, input: Input) -> Result<(), TrySendError<Input>> {
        let result = self.sender.try_send(input);
        self.wake.signal();
        result
    }
}

/// Why a command was not posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The ring is full: try again later.
    Full,
    /// There is no such shard.
    NoSuchShard,
    /// The engine was closed.
    Closed,
}

/// What the shard threads do to save work; each can be switched off to see what it is worth.
#[derive(Debug, Clone, Copy)]
pub struct Tuning {
    /// Let the kernel cut runs of datagrams (UDP_SEGMENT).
    pub segment: bool,
    /// Hand messages over many at a time (sendmmsg).
    pub batch: bool,
    /// Let the kernel join incoming datagrams (UDP_GRO).
    pub join: bool,
    /// How long media may wait for company under full load.
    pub gather: Duration,
    /// Pad the packets of a frame to one length.
    pub equalise: bool,
}

impl Tuning {
    /// Everything on, but for what the environment names: JIANGTAI_ENGINE_NO_{GSO,SENDMMSG,GRO,GATHER,EQUALISE}.
    pub fn from_environment() -> Tuning {
        let on = |name: &str| std::env::var_os(format!("JIANGTAI_ENGINE_NO_{name}")).is_none();
        let gather = if on("GATHER") { Duration::from_millis(5) } else { Duration::ZERO };
        Tuning { segment: on("GSO"), batch: on("SENDMMSG"), join: on("GRO"), gather, equalise: on("EQUALISE") }
    }
}

/// How to start.
pub struct Settings {
    pub bind: IpAddr,
    /// One shard per port, 0 = any.
    pub udp_ports: Vec<u16>,
    pub tcp_port: Option<u16>,
    /// Commands and events kept waiting.
    pub queue: usize,
}

/// Why an engine did not start.
#[derive(Debug)]
pub struct StartError {
    /// What failed; an address that could not be bound is named.
    pub what: String,
    pub error: io::Error,
}

fn unbound(transport: &str, address: SocketAddr) -> impl FnOnce(io::Error) -> StartError {
    let what = format!("media {transport} port {address}");
    move |error| StartError { what, error }
}

/// A running engine.
pub struct Engine {
    mailboxes: Vec<Mailbox>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    directory: Arc<Directory>,
    events: Arc<EventQueue>,
    metrics: Vec<Arc<Metrics>>,
    recorder: Recorder,
    stop: Arc<AtomicBool>,
    door_wake: Arc<EventFd>,
    pub udp_ports: Vec<u16>,
    pub tcp_port: Option<u16>,
    pub fingerprint: String,
}

impl Engine {
    /// Binds the sockets and starts the threads.
    pub fn start(settings: &Settings) -> Result<Engine, StartError> {
        let bind = |port| SocketAddr::new(settings.bind, port);
        let sockets: Vec<UdpSocket> = settings
            .udp_ports
            .iter()
            .map(|port| UdpSocket::bind(bind(*port)).map_err(unbound("UDP", bind(*port))))
            .collect::<Result<_, _>>()?;
        let listener = settings.tcp_port.map(|port| TcpListener::bind(bind(port)).map_err(unbound("TCP", bind(port)))).transpose()?;
        Engine::serve(settings, sockets, listener).map_err(|error| StartError { what: "the media engine".into(), error })
    }

    fn serve(settings: &Settings, sockets: Vec<UdpSocket>, listener: Option<TcpListener>) -> io::Result<Engine> {
        let identity = Identity::generate().map_err(io::Error::other)?;
        let clock = Clock::new(Instant::now(), SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default());
        let events = Arc::new(EventQueue::new(settings.queue)?);
        let mut engine = Engine {
            mailboxes: Vec::new(),
            threads: Mutex::new(Vec::new()),
            directory: Arc::new(Directory::default()),
            recorder: Recorder::new(sockets.len(), events.clone(), clock),
            events,
            metrics: Vec::new(),
            stop: Arc::new(AtomicBool::new(false)),
            door_wake: Arc::new(EventFd::new()?),
            udp_ports: sockets.iter().map(|s| s.local_addr().map(|a| a.port())).collect::<Result<_, _>>()?,
            tcp_port: listener.as_ref().map(|l| l.local_addr().map(|a| a.port())).transpose()?,
            fingerprint: identity.fingerprint(),
        };
        let mut inputs = Vec::new();
        for _ in &sockets {
            let (mailbox, input) = Mailbox::new(settings.queue)?;
            engine.mailboxes.push(mailbox);
            inputs.push(input);
        }
        for (n, (socket, input)) in sockets.into_iter().zip(inputs).enumerate() {
            engine.start_shard(n, socket, input, &identity, clock)?;
        }
        if let Some(listener) = listener {
            let door = Door {
                listener,
                directory: engine.directory.clone(),
                mailboxes: engine.mailboxes.clone(),
                metrics: engine.metrics.first().cloned().unwrap_or_default(),
                stop: engine.stop.clone(),
                wake: engine.door_wake.clone(),
            };
            engine.spawn("media-tcp".into(), None, move || door.run())?;
        }
        Ok(engine)
    }

    fn start_shard(&mut self, n: usize, socket: UdpSocket, inputs: Receiver<Input>, identity: &Identity, clock: Clock) -> io::Result<()> {
        socket.set_nonblocking(true)?;
        widen_buffers(&socket, BUFFERS);
        let metrics = Arc::new(Metrics::default());
        let worker = Worker {
            shard: Shard::new((n, self.mailboxes.len()), identity.clone(), metrics.clone(), clock),
            socket,
            inputs,
            wake: self.mailboxes[n].wake.clone(),
            events: self.events.clone(),
            metrics: metrics.clone(),
            deck: self.recorder.decks[n].clone(),
            mailboxes: self.mailboxes.clone(),
            tuning: Tuning::from_environment(),
        };
        self.metrics.push(metrics);
        self.spawn(format!("media-{n}"), Some(n), move || worker.run())
    }

    /// Starts a thread; one that ends before it is told to is told of.
    fn spawn(&self, name: String, shard: Option<usize>, body: impl FnOnce() -> io::Result<()> + Send + 'static) -> io::Result<()> {
        let label = name.clone();
        let events = self.events.clone();
        let thread = std::thread::Builder::new().name(name).spawn(move || {
            let result = catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|_| Err(io::Error::other("a panic")));
            if let Err(error) = result {
                eprintln!("{label}: stopped: {error}");
                events.push([Event::Stopped { shard }].into_iter());
            }
        })?;
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        Ok(())
    }

    /// Posts a command; `shard` matters for `OpenPeer` only.
    pub fn post(&self, command: Command, shard: Option<usize>) -> Result<(), Refused> {
        if self.stop.load(Relaxed) {
            return Err(Refused::Closed);
        }
        if shard.is_some_and(|shard| shard >= self.mailboxes.len()) {
            return Err(Refused::NoSuchShard);
        }
        let (leaving, removed) = match command {
            Command::ClosePeer { peer } => (Some(peer), None),
            Command::RemoveTrack { track } => (None, Some(track)),
            _ => (None, None),
        };
        let home = self.directory.route(&command, shard);
        if let (Command::AddTrack(add), Some(home)) = (&command, home) {
            self.announce(add, home)?;
        }
        match home {
            Some(shard) => {
                let result = self.mailboxes[shard].send(Input::Command(command));
                let gone = match &result {
                    Ok(()) => leaving,
                    Err(Input::Command(Command::OpenPeer(open))) => Some(open.peer),
                    Err(_) => None,
                };
                gone.into_iter().for_each(|peer| self.directory.forget(peer));
                if let (Some(track), Ok(())) = (removed, &result) {
                    self.directory.forget_track(track);
                }
                result.map_err(|_| Refused::Full)
            }
            None => self.mailboxes.iter().try_for_each(|m| m.send(Input::Command(command.clone())).map_err(|_| Refused::Full)),
        }
    }

    /// Lets the other shards know of a track, so that their slots can be told to play it.
    fn announce(&self, add: &AddTrack, home: usize) -> Result<(), Refused> {
        let Some(room) = self.directory.room_of(add.peer).filter(|_| self.mailboxes.len() > 1) else { return Ok(()) };
        let AddTrack { track, kind, allowed, .. } = *add;
        let mirror = AddMirror { track, room, kind, codecs: add.codecs.clone(), layers: add.rids.len(), allowed };
        let others = self.mailboxes.iter().enumerate().filter(|(shard, _)| *shard != home);
        others.map(|(_, mailbox)| mailbox).try_for_each(|mailbox| {
            let command = Command::AddMirror(Box::new(mirror.clone()));
            mailbox.send(Input::Command(command)).map_err(|_| Refused::Full)
        })
    }

    /// Asks the recorder: to begin or end a room's recording, or to note something in it. Events tell what came of it.
    pub fn record(&self, request: Request) -> Result<(), Refused> {
        match self.stop.load(Relaxed) {
            true => Err(Refused::Closed),
            false if self.recorder.ask(request) => Ok(()),
            false => Err(Refused::Full),
        }
    }

    /// All events since the last call.
    pub fn drain(&self) -> Vec<Event> {
        let events = self.events.drain();
        for event in &events {
            if let Event::Closed { peer, .. } = event {
                self.directory.forget(*peer);
            }
        }
        events
    }

    pub fn event_fd(&self) -> RawFd {
        self.events.fd()
    }

    /// Every counter, summed over the shards.
    pub fn metrics(&self) -> Vec<(&'static str, u64)> {
        let mut sums = Metrics::default().read();
        for metrics in &self.metrics {
            for (sum, (_, value)) in sums.iter_mut().zip(metrics.read()) {
                sum.1 += value;
            }
        }
        sums.extend(self.recorder.metrics.read());
        sums
    }

    /// Stops the threads and closes the sockets.
    pub fn close(&self) {
        self.stop.store(true, Relaxed);
        self.door_wake.signal();
        for mailbox in &self.mailboxes {
            // A full ring is being emptied by its thread.
            while let Err(input @ Input::Stop) = mailbox.send(Input::Stop) {
                let finished = self.threads.lock().unwrap_or_else(PoisonError::into_inner).iter().all(JoinHandle::is_finished);
                if finished {
                    break;
                }
                drop(input);
                std::thread::yield_now();
            }
        }
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            let _ = thread.join();
        }
        self.recorder.stop();
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.close();
    }
}
