//! The floor: what sealing and sending some publishers' traffic to N sockets costs when nothing else is done.
//!
//! Same shape and pacing as a server's media thread: a frame's packets come in one burst, each is copied into a send arena once per receiver
//! and sealed there in place under that receiver's key, then all leave through one UDP socket. The receivers belong to another process
//! (`floor-sink`, started here) that drains them as the viewers of `run` do, so that both measurements pay the same for being received.

use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use aws_lc_rs::aead::{Aad, LessSafeKey, Nonce, UnboundKey, AES_128_GCM, MAX_TAG_LEN};
use serde_json::{json, Map, Value};

use crate::args::Args;
use crate::net::{open, send_batch, thread_cpu, Epoll, Inbound, Outgoing, BATCH, TAKE};

const HEADER: usize = 12;
const FRAME: Duration = Duration::from_nanos(1_000_000_000 / 30);
const WORD: Duration = Duration::from_millis(20);
/// More in a burst is not sent as one, and a longer packet not at all.
const MOST_PACKETS: usize = 40;
const MOST_BYTES: usize = 1500;
const WARM_UP: Duration = Duration::from_millis(500);
/// Receive and send buffer of every socket.
const BUFFER: usize = 4 << 20;

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    SendTo,
    SendMmsg,
    Gso,
}

const MODES: [(&str, Mode); 3] = [("sendto", Mode::SendTo), ("sendmmsg", Mode::SendMmsg), ("gso", Mode::Gso)];

/// What everybody is sent: so many sources of so many packets of so many bytes on the wire, 30 times a second (video) or 50 (audio).
struct Traffic {
    sources: usize,
    packets: usize,
    bytes: usize,
    voices: usize,
    voice_bytes: usize,
}

impl Traffic {
    fn read(args: &mut Args) -> Result<Traffic, String> {
        let traffic = Traffic {
            sources: args.or("--sources", 1)?,
            packets: args.or("--packets", 6)?,
            bytes: args.or("--bytes", 1200)?,
            voices: args.or("--voices", 1)?,
            voice_bytes: args.or("--voice-bytes", 120)?,
        };
        let fits = |bytes: usize| (HEADER + MAX_TAG_LEN..=MOST_BYTES).contains(&bytes);
        match fits(traffic.bytes) && fits(traffic.voice_bytes) && (1..=MOST_PACKETS).contains(&traffic.packets) {
            true => Ok(traffic),
            false => Err(format!("at most {MOST_PACKETS} packets of {} to {MOST_BYTES} bytes", HEADER + MAX_TAG_LEN)),
        }
    }

    /// Who sends when: each from a moment of its own in its period, as cameras and microphones do.
    fn bursts(&self, start: Instant) -> Vec<Burst> {
        let spread = |count: usize, period: Duration, packets: usize, bytes: usize| {
            (0..count).map(move |i| Burst { at: start + period * i as u32 / count as u32, period, packets, bytes })
        };
        spread(self.sources, FRAME, self.packets, self.bytes).chain(spread(self.voices, WORD, 1, self.voice_bytes)).collect()
    }

    fn report(&self) -> Value {
        let Traffic { sources, packets, bytes, voices, voice_bytes } = self;
        json!({"sources": sources, "packets": packets, "bytes": bytes, "voices": voices, "voice_bytes": voice_bytes})
    }
}

/// What one source sends next, and when.
struct Burst {
    at: Instant,
    period: Duration,
    packets: usize,
    bytes: usize,
}

/// Runs `floor` and returns its report.
pub fn run(mut args: Args) -> Result<Value, String> {
    let receivers: usize = args.or("--receivers", 100)?;
    let seconds: f64 = args.or("--seconds", 5.0)?;
    let tick_ms: u64 = args.or("--tick-ms", 5)?;
    let bind: IpAddr = args.or("--bind", IpAddr::from([127, 0, 0, 1]))?;
    let dest: IpAddr = args.or("--dest", IpAddr::from([127, 0, 0, 1]))?;
    let wanted: String = args.or("--modes", "sendto,sendmmsg,gso".into())?;
    let traffic = Traffic::read(&mut args)?;
    args.done()?;
    let modes: Vec<(&str, Mode)> = MODES.into_iter().filter(|(name, _)| wanted.split(',').any(|w| w == *name)).collect();
    if modes.is_empty() || receivers == 0 || traffic.sources + traffic.voices == 0 || !(0.1..=3600.0).contains(&seconds) {
        return Err("nothing to measure".into());
    }
    let mut sink = Sink::start(dest, receivers, tick_ms).map_err(|e| format!("sink: {e}"))?;
    let socket = open((bind, 0).into(), false, BUFFER).map_err(|e| format!("{bind}: {e}"))?;
    let mut report = Map::new();
    for (name, mode) in modes {
        eprintln!("floor: {name}, {receivers} receivers");
        let mut sender = Sender::new(&socket, mode, &traffic, &sink.addresses);
        sender.play(WARM_UP);
        sink.count().map_err(|e| format!("sink: {e}"))?;
        sender.sent = 0;
        sender.calls = 0;
        let before = thread_cpu();
        sender.play(Duration::from_secs_f64(seconds));
        let after = thread_cpu();
        std::thread::sleep(Duration::from_millis(50 + 2 * tick_ms));
        let received = sink.count().map_err(|e| format!("sink: {e}"))?;
        let [user, system] = [after.0 - before.0, after.1 - before.1].map(|d| d.as_secs_f64());
        let (cpu, packets) = ((after.2 - before.2).as_secs_f64(), sender.sent.max(1) as f64);
        // The kernel's split of user and system time is coarse; the sum is exact.
        let per = |part: f64| cpu * part / (user + system).max(1e-9) / packets * 1e6;
        report.insert(
            name.into(),
            json!({
                "packets": sender.sent, "received": received, "cpu_seconds": cpu, "cpu_us_per_packet": cpu / packets * 1e6,
                "user_us_per_packet": per(user), "system_us_per_packet": per(system), "syscalls": sender.calls,
            }),
        );
    }
    Ok(json!({"kind": "floor", "receivers": receivers, "seconds": seconds, "traffic": traffic.report(), "modes": report}))
}

struct Receiver {
    address: SocketAddr,
    key: LessSafeKey,
    sequence: u32,
}

struct Sender<'a> {
    socket: &'a UdpSocket,
    mode: Mode,
    traffic: &'a Traffic,
    receivers: Vec<Receiver>,
    payload: Vec<u8>,
    arena: Vec<u8>,
    sent: u64,
    calls: u64,
}

impl<'a> Sender<'a> {
    fn new(socket: &'a UdpSocket, mode: Mode, traffic: &'a Traffic, addresses: &[SocketAddr]) -> Sender<'a> {
        let receivers = addresses.iter().enumerate().map(|(i, address)| {
            let mut bytes = [7u8; 16];
            bytes[..8].copy_from_slice(&(i as u64).to_be_bytes());
            let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &bytes).expect("16 bytes"));
            Receiver { address: *address, key, sequence: 0 }
        });
        let payload = (0..MOST_BYTES).map(|i| (i * 31) as u8).collect();
        let arena = vec![0; BATCH * traffic.packets * traffic.bytes.max(traffic.voice_bytes)];
        Sender { socket, mode, traffic, receivers: receivers.collect(), payload, arena, sent: 0, calls: 0 }
    }

    /// Video and audio in real time for so long. What cannot be kept up with is left out, as a server would.
    fn play(&mut self, span: Duration) {
        let start = Instant::now();
        let mut bursts = self.traffic.bursts(start);
        while start.elapsed() < span {
            let Some(next) = bursts.iter_mut().min_by_key(|burst| burst.at) else { return };
            let now = Instant::now();
            if next.at <= now {
                self.fan_out(next.packets, next.bytes);
                next.at = (next.at + next.period).max(now - Duration::from_millis(100));
            } else {
                std::thread::sleep(next.at - now);
            }
        }
    }

    /// `burst` packets of `size` bytes on the wire to every receiver.
    fn fan_out(&mut self, burst: usize, size: usize) {
        // So many receivers fill one batch of system calls.
        let per_message = if self.mode == Mode::Gso { burst } else { 1 };
        let group = (BATCH * per_message / burst).max(1);
        let mut receivers = std::mem::take(&mut self.receivers);
        for group in receivers.chunks_mut(group) {
            let mut used = 0;
            for receiver in group.iter_mut() {
                for _ in 0..burst {
                    seal(receiver, &self.payload, &mut self.arena[used..used + size]);
                    used += size;
                }
            }
            self.flush(group, burst, size);
        }
        self.receivers = receivers;
    }

    fn flush(&mut self, group: &[Receiver], burst: usize, size: usize) {
        let runs = self.arena.chunks_exact(burst * size).zip(group);
        match self.mode {
            Mode::SendTo => {
                for (run, receiver) in runs {
                    for packet in run.chunks_exact(size) {
                        self.calls += 1;
                        self.sent += u64::from(self.socket.send_to(packet, receiver.address).is_ok());
                    }
                }
            }
            Mode::SendMmsg => {
                let packets = runs.flat_map(|(run, receiver)| run.chunks_exact(size).map(|bytes| (receiver.address, bytes)));
                let batch: Vec<Outgoing<'_>> = packets.map(|(to, bytes)| Outgoing { to, bytes, segment: None }).collect();
                for batch in batch.chunks(BATCH) {
                    self.calls += 1;
                    self.sent += send_batch(self.socket, batch).unwrap_or(0) as u64;
                }
            }
            Mode::Gso => {
                let segment = (burst > 1).then_some(size as u16);
                let batch: Vec<Outgoing<'_>> = runs.map(|(bytes, to)| Outgoing { to: to.address, bytes, segment }).collect();
                self.calls += 1;
                self.sent += (send_batch(self.socket, &batch).unwrap_or(0) * burst) as u64;
            }
        }
    }
}

/// Header, payload and tag of the receiver's next packet fill `packet`.
fn seal(receiver: &mut Receiver, payload: &[u8], packet: &mut [u8]) {
    receiver.sequence += 1;
    let (header, rest) = packet.split_at_mut(HEADER);
    header.copy_from_slice(&[0x80, 96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    header[2..4].copy_from_slice(&(receiver.sequence as u16).to_be_bytes());
    header[4..8].copy_from_slice(&receiver.sequence.to_be_bytes());
    let (body, tag) = rest.split_at_mut(rest.len() - MAX_TAG_LEN);
    body.copy_from_slice(&payload[..body.len()]);
    let mut nonce = [0u8; 12];
    nonce[8..].copy_from_slice(&receiver.sequence.to_be_bytes());
    let nonce = Nonce::assume_unique_for_key(nonce);
    let made = receiver.key.seal_in_place_separate_tag(nonce, Aad::from(&*header), body).expect("short enough");
    tag.copy_from_slice(made.as_ref());
}

/// The process that owns the receivers.
struct Sink {
    child: Child,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
    addresses: Vec<SocketAddr>,
}

impl Sink {
    fn start(dest: IpAddr, receivers: usize, tick_ms: u64) -> std::io::Result<Sink> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["floor-sink", "--receivers", &receivers.to_string(), "--dest", &dest.to_string(), "--tick-ms", &tick_ms.to_string()]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (ask, answers) = (child.stdin.take().expect("piped"), BufReader::new(child.stdout.take().expect("piped")));
        let mut sink = Sink { child, ask, answers, addresses: Vec::new() };
        let mut line = String::new();
        sink.answers.read_line(&mut line)?;
        sink.addresses = line.split_whitespace().filter_map(|port| Some((dest, port.parse().ok()?).into())).collect();
        if sink.addresses.len() != receivers {
            return Err(std::io::Error::other("could not open its sockets"));
        }
        Ok(sink)
    }

    /// Packets received since last asked.
    fn count(&mut self) -> std::io::Result<u64> {
        self.ask.write_all(b"\n")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        line.trim().parse().map_err(std::io::Error::other)
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        // Already gone is fine, too.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `floor-sink`: prints its ports, then, for every line on stdin, how many datagrams came since the last.
pub fn sink(mut args: Args) -> Result<(), String> {
    let receivers: usize = args.or("--receivers", 1)?;
    let dest: IpAddr = args.or("--dest", IpAddr::from([127, 0, 0, 1]))?;
    let tick = Duration::from_millis(args.or("--tick-ms", 5)?);
    args.done()?;
    drain(dest, receivers, tick).map_err(|e| e.to_string())
}

fn drain(dest: IpAddr, receivers: usize, tick: Duration) -> std::io::Result<()> {
    let epoll = Epoll::new()?;
    let sockets = (0..receivers).map(|_| open((dest, 0).into(), true, BUFFER)).collect::<Result<Vec<_>, _>>()?;
    for (i, socket) in sockets.iter().enumerate() {
        epoll.add(socket.as_raw_fd(), i as u64)?;
    }
    let ports = sockets.iter().map(|s| s.local_addr().map(|a| a.port().to_string())).collect::<Result<Vec<_>, _>>()?;
    println!("{}", ports.join(" "));
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || std::io::stdin().lines().map_while(Result::ok).try_for_each(|_| tell.send(())));
    let (mut inbound, mut ready, mut count) = (Inbound::default(), Vec::new(), 0u64);
    loop {
        epoll.ready(&mut ready)?;
        for socket in ready.iter().filter_map(|token| sockets.get(*token as usize)) {
            loop {
                let more = inbound.receive(socket, TAKE)?;
                for i in 0..inbound.len() {
                    count += inbound.get(i).map_or(0, |(_, _, datagrams)| datagrams.len() as u64);
                }
                if !more {
                    break;
                }
            }
        }
        match told.try_recv() {
            Ok(()) => {
                println!("{count}");
                count = 0;
            }
            Err(std::sync::mpsc::TryRecvError::Empty) if ready.is_empty() => std::thread::sleep(tick),
            Err(std::sync::mpsc::TryRecvError::Empty) => std::thread::sleep(tick / 2),
            Err(std::sync::mpsc::TryRecvError::Disconnected) => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traffic(line: &str) -> Result<Traffic, String> {
        Traffic::read(&mut Args::new(line.split_whitespace().map(String::from)))
    }

    #[test]
    fn every_source_sends_at_its_own_moment() {
        let start = Instant::now();
        let bursts = traffic("--sources 25 --packets 1 --bytes 650 --voices 3").unwrap().bursts(start);
        assert_eq!((bursts.len(), bursts.iter().filter(|b| (b.packets, b.bytes, b.period) == (1, 650, FRAME)).count()), (28, 25));
        let moments: std::collections::BTreeSet<Instant> = bursts[..25].iter().map(|burst| burst.at).collect();
        assert!(moments.len() == 25 && bursts.iter().all(|burst| burst.at < start + burst.period));
    }

    #[test]
    fn by_default_it_is_one_publisher_and_what_cannot_be_sent_is_refused() {
        let usual = json!({"sources": 1, "packets": 6, "bytes": 1200, "voices": 1, "voice_bytes": 120});
        assert_eq!(traffic("").unwrap().report(), usual);
        for line in ["--bytes 27", "--bytes 1501", "--packets 0", "--packets 41", "--voice-bytes 9", "--sources x"] {
            assert!(traffic(line).is_err(), "{line}");
        }
    }
}
