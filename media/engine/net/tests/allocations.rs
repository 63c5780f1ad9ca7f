//! The hot path takes no memory from the heap once it is warm: counted, not believed.

#[path = "../../core/tests/dialogue/client.rs"]
#[allow(dead_code)]
mod client;
#[path = "../../core/tests/dialogue/scene.rs"]
#[allow(dead_code)]
mod scene;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use jiangtai_core::command::{Command, RecordTrack};
use jiangtai_core::media::Kind;
use jiangtai_core::tape::Rank;
use scene::{frame, opus, vp8, Scene, OPUS, VP8};

thread_local! {
    static TAKEN: Cell<u64> = const { Cell::new(0) };
    static HELD: Cell<i64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: everything is passed on to the system's allocator unchanged; the counters are plain thread-local cells without destructors.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        TAKEN.with(|taken| taken.set(taken.get() + 1));
        HELD.with(|held| held.set(held.get() + layout.size() as i64));
        // SAFETY: the caller keeps alloc's contract, which is the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.with(|held| held.set(held.get() - layout.size() as i64));
        // SAFETY: the pointer came from `alloc` above with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        TAKEN.with(|taken| taken.set(taken.get() + 1));
        HELD.with(|held| held.set(held.get() + size as i64 - layout.size() as i64));
        // SAFETY: the pointer came from `alloc` above with this layout.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_forwarded_packet_allocates_nothing_once_warm() {
    allocations(false);
}

#[test]
fn a_recorded_packet_allocates_nothing_either() {
    allocations(true);
}

fn allocations(recorded: bool) {
    const VIEWERS: u64 = 20;
    let mut scene = Scene::new();
    scene.join(1);
    scene.add_track(10, 1, Kind::Video, 1000, vp8());
    scene.add_track(11, 1, Kind::Audio, 1100, opus());
    for id in 2..2 + VIEWERS {
        scene.join(id);
        scene.add_slot(100 + id, id, Kind::Video, 2000 + 10 * id as u32, vp8(), None);
        scene.add_slot(200 + id, id, Kind::Audio, 5000 + 10 * id as u32, opus(), Some(0));
        scene.command(Command::Assign { slot: 100 + id, track: Some(10) });
    }
    for track in [10, 11].into_iter().filter(|_| recorded) {
        let record = RecordTrack { number: track as u16, rank: Rank::Sound, description: b"{}".to_vec() };
        scene.command(Command::Record { track, record: Some(Box::new(record)) });
    }
    let from = scene.client(1).path;
    let turn = |scene: &mut Scene, count: u16| {
        let mut taken = 0;
        for n in 0..count {
            let mut payload = frame(n == 0, n, 0);
            payload.resize(1100, 7);
            let mut packets = [scene.packet(1, 1000, VP8, 3000, None, &payload).1, scene.packet(1, 1100, OPUS, 960, Some(20), &[1; 80]).1];
            scene.now += Duration::from_millis(5);
            let now = scene.now;
            let before = TAKEN.get();
            packets.iter_mut().for_each(|packet| scene.shard.receive(now, from, packet));
            scene.shard.play(now);
            taken += TAKEN.get() - before;
            // Events are rare and have lists in them; reports are not part of forwarding.
            scene.shard.events.clear();
            scene.shard.outbox.clear();
            scene.shard.tape.bytes().clear();
        }
        taken
    };
    turn(&mut scene, 200);
    let before = scene.metric("forwarded");
    let taken = turn(&mut scene, 1000);
    let forwarded = scene.metric("forwarded") - before;
    // For `make bench-media`.
    println!("{taken} allocations for {forwarded} forwarded packets");
    assert_eq!(forwarded, 2 * 1000 * VIEWERS);
    assert_eq!(scene.metric("taped"), if recorded { 2 * 1200 } else { 0 });
    assert_eq!(taken, 0);
}

#[test]
fn comings_and_goings_leave_nothing_behind() {
    let mut scene = Scene::new();
    scene.join(1);
    scene.add_track(10, 1, Kind::Video, 1000, vp8());
    scene.add_track(11, 1, Kind::Audio, 1100, opus());
    let mut next = 2u64;
    let mut round = |scene: &mut Scene| {
        for _ in 0..10 {
            let id = next;
            next += 1;
            scene.join(id);
            scene.add_slot(10_000 + id, id, Kind::Video, 2000 + 10 * id as u32, vp8(), None);
            scene.add_slot(900_000 + id, id, Kind::Audio, 5000 + 10 * id as u32, opus(), Some(0));
            scene.command(Command::Assign { slot: 10_000 + id, track: Some(10) });
            for n in 0..3 {
                scene.video(1, 1000, &frame(n == 0, n, 0));
                let word = scene.packet(1, 1100, OPUS, 960, Some(20), &[1; 80]).1;
                scene.send(1, &word);
                scene.advance(20);
            }
            scene.live(100);
            scene.command(Command::ClosePeer { peer: id });
            scene.clients.remove(&id);
        }
        scene.live(40_000);
        scene.client(1).rtcp.clear();
        scene.client(1).stun.clear();
        scene.events.clear();
        HELD.get()
    };
    (0..10).for_each(|_| _ = round(&mut scene));
    let before = round(&mut scene);
    (0..30).for_each(|_| _ = round(&mut scene));
    let grown = round(&mut scene) - before;
    assert!(grown < 1_000, "{grown} bytes more after 310 peers");
}
