//! What recording costs: CPU per class at the pace of a lesson, bytes per second with syncs, reading back. Prints JSON.
//!
//! `recording FOLDER CLASSES SECONDS`. A class is 950 packets a second (5.2 Mbit/s): a trainer, a screen, five on the stage,
//! seven voices. CPU is that of the thread that tapes, of the writer and of the syncer, from the kernel's accounts.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use jiangtai_core::clock::Clock;
use jiangtai_core::tape::{Label as TapeLabel, Rank, Tape, Taped};
use jiangtai_journal::format::{Kind, Record};
use jiangtai_journal::stream::{Label, Now, Stream};
use jiangtai_journal::{files, recover, verify};
use jiangtai_net::queue::EventQueue;
use jiangtai_net::recorder::{Recorder, Request};

/// Packets a second of one class, and their bytes: pictures and voices.
const PICTURES: usize = 600;
const VOICES: usize = 350;
const PICTURE: usize = 1_040;
const VOICE: usize = 90;
const TICK: Duration = Duration::from_millis(5);

fn label(class: usize) -> Label {
    Label { class: format!("c{class}"), recording: "r1".into(), boot: [7; 16] }
}

/// CPU of the threads of this process whose names begin so, and of the one that calls.
fn cpu(names: &[&str]) -> Duration {
    let spent = |folder: &Path| {
        let text = std::fs::read_to_string(folder.join("schedstat")).unwrap_or_default();
        text.split_whitespace().next().and_then(|ns| ns.parse().ok()).map_or(Duration::ZERO, Duration::from_nanos)
    };
    let own = spent(Path::new("/proc/thread-self"));
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let others = threads.filter(|task| {
        let name = std::fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        names.contains(&name.trim())
    });
    own + others.map(|task| spent(&task.path())).sum::<Duration>()
}

/// (microseconds of CPU per packet, part of a core per class, packets, packets lost, longest sync in ms).
fn paced(root: &Path, classes: usize, seconds: u64) -> (f64, f64, u64, u64, f64) {
    let clock = Clock::new(Instant::now(), SystemTime::now().duration_since(UNIX_EPOCH).unwrap());
    let recorder = Recorder::new(1, Arc::new(EventQueue::new(10_000).unwrap()), clock);
    let mut tape = Tape::default();
    for class in 0..classes {
        let open = Request::Open { room: class as u64 + 1, root: root.to_owned(), label: Box::new(label(class)) };
        assert!(recorder.ask(open));
    }
    std::thread::sleep(Duration::from_millis(300));
    let push = |tape: &mut Tape, class: usize, kind: Taped, content: &[u8]| {
        let room = class as u64 + 1;
        let label = TapeLabel { room, kind, flags: 0, number: 1, arrival_us: clock.micros(Instant::now()), roc: 1 };
        tape.push(Rank::Sound, &label, &[content])
    };
    for class in 0..classes {
        push(&mut tape, class, Taped::Start, b"{}");
    }
    recorder.decks[0].offer(&mut tape);
    let (picture, voice) = ([7u8; PICTURE], [9u8; VOICE]);
    let (begin, before) = (Instant::now(), cpu(&["journal", "journal-sync"]));
    let (mut sent, mut lost, mut tick) = (0u64, 0u64, 0u64);
    while begin.elapsed() < Duration::from_secs(seconds) {
        tick += 1;
        for class in 0..classes {
            for (per_second, content) in [(PICTURES, &picture[..]), (VOICES, &voice[..])] {
                let due = |tick: u64| tick * per_second as u64 * TICK.as_micros() as u64 / 1_000_000;
                for _ in due(tick - 1)..due(tick) {
                    sent += 1;
                    lost += u64::from(!push(&mut tape, class, Taped::Packet, content));
                }
            }
        }
        recorder.decks[0].offer(&mut tape);
        std::thread::sleep((begin + TICK * tick as u32).saturating_duration_since(Instant::now()));
    }
    let (spent, lasted) = (cpu(&["journal", "journal-sync"]) - before, begin.elapsed());
    recorder.stop();
    let metric = |name| recorder.metrics.read().into_iter().find(|(found, _)| *found == name).map_or(0, |(_, value)| value);
    let per_packet = spent.as_secs_f64() * 1e6 / sent as f64;
    let per_class = spent.as_secs_f64() / lasted.as_secs_f64() / classes as f64;
    (per_packet, per_class, sent, lost + metric("journal_lost"), metric("journal_sync_us_max") as f64 / 1000.0)
}

/// Bytes of a stream written flat out by one thread, a sync every 1.5 s of media, and read back: per second of the clock, then
/// per second of CPU: written, verified, recovered.
fn flat_out(root: &Path) -> [f64; 4] {
    let now = |us: u64| Now { monotonic_us: us, wall_us: us };
    let mut stream = Stream::create(root, label(999), now(0)).unwrap();
    let payload = [5u8; PICTURE];
    let (begin, before) = (Instant::now(), cpu(&[]));
    let packets = 50_000u64;
    for n in 0..packets {
        let us = n * 1_000_000 / 950;
        stream.put(&Record { kind: Kind::Rtp, flags: 0, track: 1, arrival_us: us, roc: 1, payload: &payload });
        stream.flush_large().unwrap();
        if n % 1_425 == 0 {
            stream.tick(now(us)).unwrap();
            if let Some((file, number, offset)) = stream.unsynced() {
                file.sync_data().unwrap();
                stream.synced(number, offset, now(us));
            }
        }
    }
    stream.finish(now(packets * 1_000_000 / 950)).unwrap();
    let (by_clock, by_cpu) = (begin.elapsed(), cpu(&[]) - before);
    let written = stream.bytes() as f64;
    let path = files::path(&root.join("c999"), 1);
    let bytes = std::fs::read(&path).unwrap();
    let before = cpu(&[]);
    assert!(verify::file(&bytes).unwrap().is_whole());
    let verified = cpu(&[]) - before;
    std::fs::write(&path, &bytes[..bytes.len() - 100]).unwrap();
    let before = cpu(&[]);
    recover::file(&path).unwrap();
    let recovered = cpu(&[]) - before;
    let size = bytes.len() as f64;
    [written / by_clock.as_secs_f64(), written / by_cpu.as_secs_f64(), size / verified.as_secs_f64(), size / recovered.as_secs_f64()]
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let root = arguments.next().expect("a folder");
    let mut number = |otherwise: u64| arguments.next().and_then(|text| text.parse().ok()).unwrap_or(otherwise);
    let (classes, seconds) = (number(20) as usize, number(10));
    let root = Path::new(&root);
    let (per_packet, per_class, packets, lost, sync) = paced(root, classes, seconds);
    let [write, write_cpu, verify, recover] = flat_out(root).map(|bytes| bytes / 1e6);
    println!(
        "{{\"classes\": {classes}, \"seconds\": {seconds}, \"packets\": {packets}, \"lost\": {lost}, \"cpu_us_per_packet\": {per_packet:.3}, \
         \"core_per_class\": {per_class:.6}, \"sync_ms_max\": {sync:.1}, \"write_mb_s\": {write:.1}, \"write_mb_cpu_s\": {write_cpu:.1}, \"verify_mb_cpu_s\": {verify:.1}, \
         \"recover_mb_cpu_s\": {recover:.1}}}"
    );
}
