//! Whatever happens, what a slot puts out can be decoded: seeded classes in which anything comes in any order. Each picture says in its
//! payload whose it is, so that a slot's stream can be judged by itself.

mod mark;
mod place;
mod world;

use jiangtai_core::media::CodecName;

use mark::Mark;
use world::{Within, World};

const STEPS: u64 = 150;
/// In this time everybody has to see again, whatever was: who has paused several times waits for half a minute.
const CALM_STEPS: u64 = 3000;

/// Says which class it was when something is wrong.
struct Seed(CodecName, u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("class({:?}, {}) failed", self.0, self.1);
        }
    }
}

/// One class; how many packets were seen and how often sources were changed.
fn class(codec: CodecName, seed: u64) -> (usize, usize) {
    let _seed = Seed(codec, seed);
    let mut world = World::new(codec, seed);
    let arrives = world.dice.below(200) as u64;
    for step in 0..STEPS {
        if step == arrives {
            world.newcomer(5);
        }
        world.tick(false);
    }
    (0..world.streams.len()).for_each(|stream| world.allow(stream, true));
    for receiver in 0..world.receivers.len() {
        world.receivers[receiver].link.bps = None;
        if world.dice.below(2) == 0 {
            world.limit(receiver, 0, true);
            world.assign(receiver, 1, true);
        }
    }
    let calm = world.step;
    while !(world.step > calm + 40 && world.all_see()) {
        world.tick(true);
        assert!(world.step < calm + CALM_STEPS, "somebody sees nothing new: {}", world.places());
    }
    let mut totals = (0, 0);
    for place in world.receivers.iter().flat_map(|receiver| &receiver.places) {
        place.judge(&world.streams, true);
        let half = place.unfinished().filter(|_| world.within != Within::Anything && world.loss == 0);
        assert_eq!(half, None, "half a picture");
        let marks: Vec<&Mark> = place.got.values().map(|got| &got.mark).collect();
        totals.0 += marks.len();
        totals.1 += marks.windows(2).filter(|pair| (pair[0].track, pair[0].layer) != (pair[1].track, pair[1].layer)).count();
    }
    assert_eq!(world.scene.metric("panics"), 0);
    totals
}

fn classes(codec: CodecName, seeds: std::ops::Range<u64>) {
    let seen: Vec<(usize, usize)> = seeds.map(|seed| class(codec, seed)).collect();
    let (packets, changes) = seen.iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    // Else nothing would have been tried.
    assert!(packets > 300 * seen.len() && changes > 4 * seen.len(), "{packets} packets, {changes} changes");
}

#[test]
fn pictures_in_layers_can_be_decoded_whatever_happens() {
    classes(CodecName::Vp8, 0..220);
}

#[test]
fn pictures_in_vp9_can_be_decoded_whatever_happens() {
    classes(CodecName::Vp9, 0..80);
}

#[test]
fn pictures_in_av1_can_be_decoded_whatever_happens() {
    classes(CodecName::Av1, 0..80);
}
