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
}

struct Counting;

// SAFETY: everything is passed on to the system's allocator unchanged; the counter is a plain thread-local cell without destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        TAKEN.with(|taken| taken.set(taken.get() + 1));
        // SAFETY: the caller keeps alloc's contract, which is the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `alloc` above with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        TAKEN.with(|taken| taken.set(taken.get() + 1));
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
    assert_eq!(scene.metric("forwarded") - before, 2 * 1000 * VIEWERS);
    assert_eq!(scene.metric("taped"), if recorded { 2 * 1200 } else { 0 });
    assert_eq!(taken, 0, "allocations for {} forwarded packets", 2 * 1000 * VIEWERS);
}
