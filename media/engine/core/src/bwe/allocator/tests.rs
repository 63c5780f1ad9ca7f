use super::*;
use crate::testing::Noise;

const RATES: [u64; 3] = [150_000, 500_000, 1_500_000];
const S: u64 = 1_000_000;

/// Of a connection that was full before.
fn full(bps: u64, audio_bps: u64) -> Budget {
    Budget { bps, audio_bps, was_full: true }
}

/// One viewer's slots: ranks, and what became of them call by call.
struct Slots(Vec<Demand>);

impl Slots {
    fn new(ranks: &[u8]) -> Slots {
        Slots(ranks.iter().map(|rank| Demand::new(*rank, RATES, 2, Choice::default())).collect())
    }

    /// The choices with this budget (kbit/s) and 40 kbit/s of audio; -1 paused, -2 hidden.
    fn at(&mut self, now_us: u64, kbps: u64) -> Vec<i8> {
        allocate(full(kbps * 1000, 40_000), &mut self.0, now_us);
        self.0.iter().map(|d| number(d.choice.play)).collect()
    }
}

fn number(play: Play) -> i8 {
    match play {
        Play::Hidden => -2,
        Play::Paused => -1,
        Play::Layer(layer) => layer as i8,
    }
}

#[test]
fn everybody_gets_a_lowest_layer_before_anybody_gets_a_second() {
    // Tile, tile, main, screen: 40 + 4 x 150 = 640.
    let mut slots = Slots::new(&[2, 2, 1, 0]);
    assert_eq!(slots.at(0, 800), [0, 0, 0, 0]);
    // The second layers go to the screen first, then to main, then to the tiles in order.
    for (kbps, expected) in [(1200, [0, 0, 0, 1]), (1600, [0, 0, 1, 1]), (2000, [1, 0, 1, 1]), (3600, [1, 1, 1, 2])] {
        assert_eq!(Slots::new(&[2, 2, 1, 0]).at(0, kbps), expected, "{kbps}");
    }
}

#[test]
fn what_does_not_fit_is_paused_tiles_first() {
    let ranks = [2, 2, 1, 0];
    assert_eq!(Slots::new(&ranks).at(0, 540), [0, -1, 0, 0]);
    assert_eq!(Slots::new(&ranks).at(0, 400), [-1, -1, 0, 0]);
    // A quarter may be overdrawn for main and screen, not for a tile: 300 - 40 + 75 for 300.
    assert_eq!(Slots::new(&ranks).at(0, 300), [-1, -1, 0, 0]);
    assert_eq!(Slots::new(&ranks).at(0, 250), [-1, -1, -1, 0]);
    assert_eq!(Slots::new(&[2]).at(0, 180), [-1]);
    assert_eq!(Slots::new(&ranks).at(0, 100), [-1, -1, -1, -1]);
}

#[test]
fn who_waits_for_a_picture_gets_it_as_soon_as_there_is_room_unless_the_connection_was_full() {
    for (was_full, expected) in [(true, [0, -1]), (false, [0, 0])] {
        let mut slots = Slots::new(&[2, 2]);
        let mut at = |tenths: u64, bps| {
            allocate(Budget { bps, audio_bps: 40_000, was_full }, &mut slots.0, tenths * S / 10);
            slots.0.iter().map(|d| number(d.choice.play)).collect::<Vec<_>>()
        };
        assert_eq!(at(0, 200_000), [0, -1]);
        assert_eq!(at(2, 5 * S), expected);
        // One that played is paused for a moment; better layers take their time all the same.
        assert_eq!(at(4, 200_000), [0, -1]);
        assert_eq!(at(6, 5 * S), expected);
    }
}

#[test]
fn what_the_viewer_does_not_see_gets_nothing_and_costs_nothing() {
    let mut slots = Slots::new(&[1, 2]);
    slots.0[0].max_layer = -1;
    assert_eq!(slots.at(0, 700), [-2, 1]);
    let mut small = Slots::new(&[2]);
    small.0[0].max_layer = 0;
    assert_eq!(allocate(full(50 * S, 0), &mut small.0, 0), Allocation { used_bps: 150_000, wanted_bps: 0 });
    // Looked at again, it plays at once, as high as fits with the margin.
    slots.0[0].max_layer = 2;
    assert_eq!(slots.at(S, 5000), [2, 1]);
}

#[test]
fn a_layer_goes_down_at_once_and_up_only_after_it_would_have_fitted_for_a_while() {
    let mut slots = Slots::new(&[1]);
    assert_eq!(slots.at(0, 3000), [2]);
    assert_eq!(slots.at(10 * S, 1500), [1]);
    assert_eq!(slots.at(10 * S + 100, 530), [0]);
    // 500 + 40 need 621 with the margin.
    for step in 0..100 {
        assert_eq!(slots.at(11 * S + step * S / 10, 615), [0]);
    }
    assert_eq!(slots.at(30 * S, 640), [0]);
    assert_eq!(slots.at(30 * S + S / 2, 640), [0]);
    // A dip starts the patience anew.
    assert_eq!(slots.at(30 * S + S * 6 / 10, 600), [0]);
    assert_eq!(slots.at(30 * S + S * 7 / 10, 640), [0]);
    assert_eq!(slots.at(31 * S + S * 6 / 10, 640), [0]);
    assert_eq!(slots.at(32 * S, 640), [1]);
    // What plays stays as long as it fits at all.
    assert_eq!(slots.at(33 * S, 541), [1]);
}

#[test]
fn a_slot_does_not_go_up_twice_within_three_seconds() {
    let mut slots = Slots::new(&[1]);
    slots.at(0, 500);
    let changes: Vec<u64> = (1..200)
        .map(|n| n * S / 10)
        .filter(|at| {
            let before = slots.0[0].choice.play;
            slots.at(*at, if *at < 3 * S { 700 } else { 5000 });
            slots.0[0].choice.play != before
        })
        .collect();
    assert_eq!(changes.len(), 2);
    assert!(changes[1] - changes[0] >= UP_EVERY_US);
}

#[test]
fn steps_up_that_do_not_last_become_rarer_and_ones_that_last_are_forgiven() {
    let mut slots = Slots::new(&[1]);
    slots.at(0, 500);
    // Each step up is followed by a budget too small for it, two seconds long.
    let (mut rises, mut low_until) = (Vec::new(), 0);
    for at in (1..3000).map(|n| n * S / 10) {
        let before = slots.0[0].choice.play;
        slots.at(at, if at < low_until { 500 } else { 700 });
        if slots.0[0].choice.play > before {
            rises.push(at);
            low_until = at + 2 * S;
        }
    }
    let gaps: Vec<u64> = rises.windows(2).map(|pair| (pair[1] - pair[0]) / S).collect();
    assert!(gaps.windows(2).all(|pair| pair[1] >= pair[0]) && gaps.last() >= Some(&32), "{gaps:?}");
    assert!(rises.len() < 15, "{rises:?}");
    let at = 400 * S;
    slots.at(at, 700);
    slots.at(at + 33 * S, 700);
    slots.at(at + 94 * S, 700);
    assert_eq!(slots.0[0].choice.patience_us, PATIENCE_US);
}

#[test]
fn a_layer_that_failed_is_waited_for_longer_and_those_below_it_are_not() {
    let mut slots = Slots::new(&[1]);
    slots.at(0, 700);
    let mut rises = Vec::new();
    for at in (1..300).map(|n| n * S / 10) {
        let before = slots.0[0].choice.play;
        // Room for all three, except for three seconds after five.
        slots.at(at, if (5 * S..8 * S).contains(&at) { 250 } else { 2_000 });
        if slots.0[0].choice.play > before {
            rises.push((at / S, number(slots.0[0].choice.play)));
        }
    }
    assert_eq!(rises, [(1, 2), (9, 1), (14, 2)]);
}

#[test]
fn a_step_up_of_the_more_important_takes_from_the_less_important() {
    let mut slots = Slots::new(&[2, 0]);
    slots.0[1].max_layer = 0;
    assert_eq!(slots.at(0, 900), [1, 0]);
    // The screen is enlarged: 40 + 150 + 500 fits, a second tile layer does not.
    slots.0[1].max_layer = 1;
    assert_eq!(slots.at(10 * S, 900), [1, 0]);
    assert_eq!(slots.at(11 * S, 900), [0, 1]);
}

#[test]
fn missing_layers_are_stepped_over() {
    let mut slots = Slots::new(&[1]);
    slots.0[0].rates = [0, 500_000, 0];
    assert_eq!(slots.at(0, 3000), [1]);
    slots.0[0].rates = [0, 0, 0];
    assert_eq!(slots.at(S, 3000), [-2]);
}

#[test]
fn the_wish_is_told_with_its_margin_only_while_something_is_missing() {
    let mut slots = Slots::new(&[1]);
    assert_eq!(allocate(full(600_000, 40_000), &mut slots.0, 0), Allocation { used_bps: 190_000, wanted_bps: 1_771_000 });
    let mut slots = Slots::new(&[1]);
    assert_eq!(allocate(full(3_000_000, 40_000), &mut slots.0, 0), Allocation { used_bps: 1_540_000, wanted_bps: 0 });
}

#[test]
fn whatever_is_asked_the_budget_holds_and_nothing_panics() {
    let mut noise = Noise::new(11);
    for round in 0..3000u64 {
        let mut demands: Vec<Demand> = (0..noise.below(30))
            .map(|_| {
                let huge = noise.one_in(20);
                let rates = [0; 3].map(|_: u64| if huge { noise.next() } else { noise.below(2_000_000) as u64 });
                Demand::new(noise.below(4) as u8, rates, noise.below(6) as i8 - 2, Choice::default())
            })
            .collect();
        let mut now = 0;
        for _ in 0..20 {
            now += noise.below(5_000_000) as u64;
            let budget = if noise.one_in(30) { noise.next() } else { noise.below(10_000_000) as u64 };
            let was_full = noise.one_in(2);
            let used = allocate(Budget { bps: budget, audio_bps: 40_000, was_full }, &mut demands, now).used_bps;
            assert!(used <= budget.saturating_add(budget / 4).max(40_000), "round {round}: {used} of {budget}");
            for demand in &demands {
                assert!(number(demand.choice.play) <= demand.max_layer.max(-1), "round {round}");
                if let Play::Layer(layer) = demand.choice.play {
                    assert!(demand.rates[usize::from(layer)] > 0, "round {round}");
                }
            }
            if noise.one_in(3) {
                demands.iter_mut().for_each(|demand| demand.max_layer = noise.below(6) as i8 - 2);
            }
        }
    }
}
