//! What one forwarded packet costs in the shard alone, without sockets. Run by hand, optimised:
//! `cargo test --release -p jiangtai-core --test dialogue -- --ignored --nocapture cost`.

use std::time::Instant;

use jiangtai_core::command::Command;
use jiangtai_core::media::Kind;

use super::scene::{frame, vp8, Scene, VP8};

#[test]
#[ignore = "measures, run by hand"]
fn cost_of_one_forwarded_packet() {
    const VIEWERS: u64 = 300;
    const PACKETS: u16 = 1000;
    let mut scene = Scene::new();
    scene.join(1);
    scene.add_track(1000, 1, Kind::Video, 1000, vp8());
    for id in 2..2 + VIEWERS {
        scene.join(id);
        scene.live(1);
        scene.add_slot(2000 + id, id, Kind::Video, 10_000 + 2 * id as u32, vp8(), None);
        scene.command(Command::Assign { slot: 2000 + id, track: Some(1000) });
    }
    let mut payload = frame(true, 1, 0);
    payload.resize(1150, 7);
    let packets: Vec<Vec<u8>> = (0..PACKETS).map(|_| scene.packet(1, 1000, VP8, 3000, None, &payload).1).collect();
    let from = scene.client(1).path;
    let (start, before) = (Instant::now(), scene.metric("forwarded"));
    for mut packet in packets {
        scene.shard.receive(scene.now, from, &mut packet);
        scene.shard.play(scene.now);
        scene.shard.outbox.clear();
    }
    let forwarded = scene.metric("forwarded") - before;
    assert_eq!(forwarded, VIEWERS * u64::from(PACKETS));
    println!("{:.3} us per forwarded packet", start.elapsed().as_secs_f64() * 1e6 / forwarded as f64);
}
