//! The loop that drives all members in one thread.
//!
//! It sleeps, drains every socket that has something, plays what publishers owe, lets time pass for whom it has passed, and sleeps again: nobody
//! is woken by a datagram, as a machine on the other side of a network would not be. Publishers come first, then viewers, then the window.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;

use crate::clip::Clips;
use crate::measure::{Joins, Mark, Verdict};
use crate::member::{Member, Part, Phase};
use crate::net::{Epoll, Inbound, TAKE};
use crate::peer::Kit;
use crate::plan::Plan;
use crate::publisher::Output;
use crate::report::Spread;
use crate::sent::Sent;
use crate::viewer::{Input, World};

mod window;

/// Everybody's feedback comes round in so many portions, so far apart, however long a turn takes: who is silent for a second while others
/// join would seem to have lost the connection. Who lacks something is served every time.
const ROUND: usize = 20;
const PORTION: Duration = Duration::from_millis(5);
/// Members whose memory is asked for at once.
const WARMED: usize = 16;
/// A token's member is heard through its door, not its transport.
const DOOR: u64 = 1 << 32;
/// While members join, rounds are short: handshakes take several.
const JOIN_TICK: Duration = Duration::from_millis(1);
/// Members that say goodbye at a time.
const AT_THE_DOOR: usize = 32;
const LEAVE_PATIENCE: Duration = Duration::from_secs(5);

/// What the run is at.
#[derive(Clone, Copy, PartialEq)]
enum Stage {
    Publishing,
    Joining,
    WarmUp(Instant),
    Window(Instant),
    Leaving(Instant),
    Over,
}

struct Swarm<'a> {
    plan: &'a Plan,
    kit: Kit,
    epoll: Epoll,
    inbound: Inbound,
    world: World,
    /// Publishers first, then viewers.
    members: Vec<Option<Member>>,
    timers: BinaryHeap<Reverse<(Instant, usize)>>,
    /// The earliest timer set for a member.
    set: Vec<Instant>,
    stage: Stage,
    joins: Joins,
    underway: usize,
    /// Viewers still to join, by number.
    waiting: VecDeque<usize>,
    /// Members that are over, on their way out.
    leavers: VecDeque<Member>,
    /// Members that miss something.
    lacking: BTreeSet<usize>,
    churned: u64,
    round: usize,
    /// When the next portion is due.
    portion_at: Instant,
    /// Of viewers that left.
    past: Verdict,
    begin: Option<Mark>,
    end: Option<Mark>,
    viewer_rates: Spread,
    profiles: BTreeMap<String, u64>,
}

fn wall_clock() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64)
}

/// Runs the plan; returns the report and how many joins failed and streams broke.
pub fn run(plan: &Plan) -> Result<(Value, u64), String> {
    let clips = Clips::load(&plan.clips, plan.codec, &plan.layers)?;
    let mut sent = Sent::default();
    let frames: Vec<usize> = clips.video.iter().map(Vec::len).collect();
    for i in 0..plan.publishers {
        sent.add(plan.room(i), &frames, clips.audio.len());
    }
    let (video_delay, audio_delay) = (Spread::default(), Spread::default());
    let (input, output, late) = (Input::default(), Output::default(), Spread::default());
    let world = World { clips, sent, input, video_delay, audio_delay, output, late, counting: false };
    let now = Instant::now();
    let count = plan.publishers + plan.viewers;
    let mut swarm = Swarm {
        plan,
        kit: Kit::new()?,
        epoll: Epoll::new().map_err(|e| e.to_string())?,
        inbound: Inbound::default(),
        world,
        members: (0..count).map(|_| None).collect(),
        timers: BinaryHeap::new(),
        set: vec![now + Duration::from_secs(1 << 30); count],
        stage: Stage::Publishing,
        joins: Joins::default(),
        underway: 0,
        waiting: (0..plan.viewers).collect(),
        leavers: VecDeque::new(),
        lacking: BTreeSet::new(),
        churned: 0,
        round: 0,
        portion_at: now,
        past: Verdict::default(),
        begin: None,
        end: None,
        viewer_rates: Spread::default(),
        profiles: BTreeMap::new(),
    };
    for i in 0..plan.publishers {
        let member = Member::publisher(plan, &swarm.kit, i, i as u32, &swarm.world.clips, now, wall_clock())?;
        swarm.admit(i, member)?;
    }
    while swarm.stage != Stage::Over {
        swarm.turn()?;
    }
    swarm.report()
}

impl Swarm<'_> {
    fn admit(&mut self, i: usize, member: Member) -> Result<(), String> {
        self.epoll.add(member.peer.fd(), i as u64).map_err(|e| e.to_string())?;
        self.members[i] = Some(member);
        self.attend(i)
    }

    /// After anything that may have begun an exchange or changed when a member is due.
    fn attend(&mut self, i: usize) -> Result<(), String> {
        let Some(member) = &mut self.members[i] else { return Ok(()) };
        if let Some(fd) = member.unheard() {
            self.epoll.add(fd, DOOR | i as u64).map_err(|e| e.to_string())?;
        }
        if member.peer.deadline < self.set[i] {
            self.set[i] = member.peer.deadline;
            self.timers.push(Reverse((member.peer.deadline, i)));
        }
        self.settle(i)
    }

    /// Books a join that succeeded or failed, and what failed later.
    fn settle(&mut self, i: usize) -> Result<(), String> {
        let (Some(member), now) = (&mut self.members[i], Instant::now()) else { return Ok(()) };
        if !member.settled && !matches!(member.phase, Phase::Joined | Phase::Failed) {
            member.check_joined(self.plan);
            if now.duration_since(member.asked_at) > self.plan.join_timeout {
                member.fail(format!("timeout while {:?}", member.phase));
            }
        }
        let viewer = i >= self.plan.publishers;
        match member.phase {
            Phase::Joined if !member.settled => {
                member.settled = true;
                if viewer {
                    self.joins.joined(member, self.plan.video);
                }
            }
            Phase::Failed => {
                let why = member.why.take().unwrap_or_default();
                if !viewer && !member.settled {
                    return Err(format!("publisher {i}: {why}"));
                }
                let (kind, later) = (if viewer { "viewer" } else { "publisher" }, if member.settled { "later " } else { "" });
                let unsettled = !std::mem::replace(&mut member.settled, true);
                self.joins.failed(&format!("{kind} {i}"), &format!("{later}{why}"));
                self.retire(i);
                if !unsettled {
                    return Ok(());
                }
            }
            _ => return Ok(()),
        }
        if viewer {
            self.underway -= 1;
            self.joins.ended = Some(now);
        }
        Ok(())
    }

    /// A member is over; what it saw is kept.
    fn retire(&mut self, i: usize) {
        if let Some(mut member) = self.members[i].take() {
            if let Part::Viewer(viewer) = &member.part {
                self.past.add(i - self.plan.publishers, viewer, wall_clock(), self.world.counting);
            }
            member.hang_up();
            self.set[i] = Instant::now() + Duration::from_secs(1 << 30);
            self.leavers.push_back(member);
        }
    }

    fn turn(&mut self) -> Result<(), String> {
        let now = Instant::now();
        self.listen()?;
        self.wake(now)?;
        self.serve(now)?;
        self.advance(now)?;
        let joining = self.underway > 0 || matches!(self.stage, Stage::Publishing | Stage::Joining);
        let tick = now + if joining { JOIN_TICK } else { self.plan.tick };
        let due = self.due().unwrap_or(tick);
        std::thread::sleep(tick.min(due).saturating_duration_since(Instant::now()));
        self.play()
    }

    /// When the next frame or word is to be sent.
    fn due(&self) -> Option<Instant> {
        self.publishers().filter_map(|(_, publisher)| publisher.due()).min()
    }

    fn publishers(&self) -> impl Iterator<Item = (usize, &crate::publisher::Publisher)> {
        let members = self.members.iter().take(self.plan.publishers).enumerate();
        members.filter_map(|(i, member)| match member.as_ref().map(|m| &m.part) {
            Some(Part::Publisher(publisher)) => Some((i, publisher)),
            _ => None,
        })
    }

    /// Every socket gets its turn. Publishers do not wait until all have been heard: what they owed would leave in bursts no cameras make.
    fn listen(&mut self) -> Result<(), String> {
        let (mut ready, mut now, mut wall) = (Vec::new(), Instant::now(), wall_clock());
        let mut due = self.due();
        for round in 0..=1 + self.members.len() / 512 {
            // Mostly one run waits, and asking for a second costs a quarter of the call: who has more is ready in the next round too.
            let most = if round == 0 { 1 } else { TAKE };
            self.epoll.ready(&mut ready).map_err(|e| e.to_string())?;
            for (n, token) in ready.iter().enumerate() {
                if n % WARMED == 0 {
                    self.warm(&ready[n..(n + WARMED).min(ready.len())]);
                }
                if due.is_some_and(|due| due <= Instant::now()) {
                    self.play()?;
                    (now, wall, due) = (Instant::now(), wall_clock(), self.due());
                }
                let i = (token & (DOOR - 1)) as usize;
                if token & DOOR == 0 {
                    self.receive(i, most, now, wall)?;
                } else if let Some(member) = &mut self.members[i] {
                    member.drive(now);
                }
                self.attend(i)?;
            }
            if ready.is_empty() {
                break;
            }
        }
        Ok(())
    }

    /// Reads a little of what the next ones need: each alone would wait for memory, one after the other.
    fn warm(&self, tokens: &[u64]) {
        let members = tokens.iter().filter_map(|token| self.members[(token & (DOOR - 1)) as usize].as_ref());
        let warm = members.map(|member| match &member.part {
            Part::Viewer(viewer) => viewer.warm(),
            Part::Publisher(_) => 0,
        });
        std::hint::black_box(warm.fold(0, std::ops::BitXor::bitxor));
    }

    /// `wall` is `now` in nanoseconds since 1970.
    fn receive(&mut self, i: usize, most: usize, now: Instant, wall: u64) -> Result<(), String> {
        let (Some(member), world) = (&mut self.members[i], &mut self.world) else { return Ok(()) };
        loop {
            let more = self.inbound.receive(&member.peer.socket, most).map_err(|e| e.to_string())?;
            for message in 0..self.inbound.len() {
                let Some((from, at, datagrams)) = self.inbound.get(message) else { continue };
                let at = if at == 0 { wall } else { at };
                world.input.messages += u64::from(world.counting);
                // The kernel's time: when we looked would tell the server's bandwidth estimate about us, not about the path.
                let arrived = (now + Duration::from_nanos(at.saturating_sub(wall)))
                    .checked_sub(Duration::from_nanos(wall.saturating_sub(at)))
                    .unwrap_or(now);
                for datagram in datagrams {
                    match &mut member.part {
                        Part::Publisher(_) => member.peer.feed(now, from, datagram),
                        Part::Viewer(viewer) => viewer.receive(&mut member.peer, now, from, (arrived, at), datagram, world),
                    }
                    if member.peer.news {
                        member.react(now, at, world);
                    }
                }
            }
            if !more || most == 1 {
                break;
            }
        }
        if let Part::Viewer(viewer) = &member.part {
            if viewer.lacks() {
                self.lacking.insert(i);
            }
        }
        Ok(())
    }

    fn play(&mut self) -> Result<(), String> {
        let (now, wall) = (Instant::now(), wall_clock());
        for i in 0..self.plan.publishers {
            let (Some(member), world) = (&mut self.members[i], &mut self.world) else { continue };
            let Part::Publisher(publisher) = &mut member.part else { continue };
            if publisher.due().is_none_or(|due| due > now) {
                continue;
            }
            publisher.play(&mut member.peer, world, now, wall);
            member.react(now, wall, world);
            self.attend(i)?;
        }
        Ok(())
    }

    /// Those whose time has come.
    fn wake(&mut self, now: Instant) -> Result<(), String> {
        while let Some(Reverse((at, i))) = self.timers.peek().copied().filter(|Reverse((at, _))| *at <= now) {
            self.timers.pop();
            if self.set[i] != at {
                continue;
            }
            self.set[i] = now + Duration::from_secs(1 << 30);
            let Some(member) = &mut self.members[i] else { continue };
            if member.peer.deadline <= now {
                member.peer.tick(now);
                member.react(now, wall_clock(), &mut self.world);
            }
            self.attend(i)?;
        }
        Ok(())
    }

    /// Feedback, joins, farewells.
    fn serve(&mut self, now: Instant) -> Result<(), String> {
        let (publishers, count) = (self.plan.publishers, self.members.len());
        let (mut served, mut heard) = (std::mem::take(&mut self.lacking), Vec::new());
        for _ in 0..ROUND {
            if self.portion_at > now {
                break;
            }
            self.portion_at += PORTION;
            self.round = (self.round + 1) % ROUND;
            served.extend((publishers + self.round..count).step_by(ROUND));
            heard.extend((0..publishers).skip(self.round).step_by(ROUND));
        }
        // More than a whole round is not made up for.
        self.portion_at = self.portion_at.max(now);
        let wall = wall_clock();
        for i in served {
            let Some(member) = &mut self.members[i] else { continue };
            member.stay(now);
            if let Part::Viewer(viewer) = &mut member.part {
                viewer.feed_back(&mut member.peer, now, wall, &mut self.world);
                if viewer.lacks() {
                    self.lacking.insert(i);
                }
            }
            if member.peer.news {
                member.react(now, wall, &mut self.world);
            }
            self.attend(i)?;
        }
        for i in heard {
            if let Some(member) = &mut self.members[i] {
                member.stay(now);
                self.attend(i)?;
            }
        }
        self.start_joins(now)?;
        for member in self.leavers.iter_mut().take(AT_THE_DOOR) {
            member.leave();
        }
        self.leavers.retain(|member| member.phase != Phase::Gone);
        Ok(())
    }

    fn start_joins(&mut self, now: Instant) -> Result<(), String> {
        if !matches!(self.stage, Stage::Joining | Stage::Window(_)) {
            return Ok(());
        }
        let since = self.joins.began.map_or(0.0, |began| now.duration_since(began).as_secs_f64());
        while self.underway < self.plan.concurrency {
            let paced = self.plan.join_rate > 0.0 && self.joins.asked as f64 >= since * self.plan.join_rate + 1.0;
            let Some(number) = self.waiting.front().copied().filter(|_| !paced) else { break };
            self.waiting.pop_front();
            let member = Member::viewer(self.plan, &self.kit, number, now, wall_clock())?;
            self.joins.asked += 1;
            self.underway += 1;
            self.admit(self.plan.publishers + number, member)?;
        }
        Ok(())
    }
}
