//! A member of the swarm on its way in, through and out: dialogue with the door, transport, media.

use std::os::fd::RawFd;
use std::time::{Duration, Instant};

use str0m::Event;

use crate::clip::Clips;
use crate::door::{Dialogue, Step};
use crate::http::{Exchange, Request, Response};
use crate::peer::{Kit, Peer};
use crate::plan::Plan;
use crate::publisher::Publisher;
use crate::viewer::{Early, Viewer, World};

pub const KEEP_ALIVE: Duration = Duration::from_secs(25);
const NEVER: Duration = Duration::from_secs(1 << 30);

pub enum Part {
    Publisher(Publisher),
    Viewer(Box<Viewer>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Phase {
    /// Talking to the door.
    Asking,
    /// ICE and DTLS.
    Connecting,
    /// Connected; a viewer waits for its first frame.
    Connected,
    /// What it came for is there.
    Joined,
    Failed,
    Leaving,
    Gone,
}

pub struct Member {
    pub part: Part,
    pub peer: Peer,
    pub phase: Phase,
    exchange: Option<Exchange>,
    /// The exchange's socket is not watched yet.
    new_exchange: bool,
    /// The join was booked.
    pub settled: bool,
    pub profile: String,
    door: Box<dyn Dialogue>,
    number: usize,
    pub asked_at: Instant,
    /// `asked_at` in nanoseconds since 1970.
    pub asked_wall: u64,
    pub answered_at: Option<Instant>,
    pub connected_at: Option<Instant>,
    pub why: Option<String>,
    keep_alive_at: Instant,
}

impl Member {
    pub fn publisher(plan: &Plan, kit: &Kit, i: usize, number: u32, clips: &Clips, now: Instant, wall: u64) -> Result<Member, String> {
        let part = Part::Publisher(Publisher::new(plan, number, clips));
        Member::new(part, Peer::new(plan, kit, now, true)?, plan.publisher_door(i), i, now, wall)
    }

    pub fn viewer(plan: &Plan, kit: &Kit, i: usize, now: Instant, wall: u64) -> Result<Member, String> {
        let viewer = Viewer::new(plan, i)?;
        let mut peer = Peer::new(plan, kit, now, false)?;
        peer.transport_only = !viewer.full;
        Member::new(Part::Viewer(Box::new(viewer)), peer, plan.viewer_door(i), i, now, wall)
    }

    fn new(part: Part, peer: Peer, door: Box<dyn Dialogue>, number: usize, now: Instant, wall: u64) -> Result<Member, String> {
        let mut member = Member {
            part,
            peer,
            phase: Phase::Asking,
            exchange: None,
            new_exchange: false,
            settled: false,
            profile: String::new(),
            door,
            number,
            asked_at: now,
            asked_wall: wall,
            answered_at: None,
            connected_at: None,
            why: None,
            keep_alive_at: now + KEEP_ALIVE,
        };
        member.converse(None, now);
        Ok(member)
    }

    pub fn fail(&mut self, why: String) {
        if !matches!(self.phase, Phase::Leaving | Phase::Gone | Phase::Failed) {
            self.phase = Phase::Failed;
            self.why = Some(why);
        }
    }

    /// The next step of the dialogue.
    fn converse(&mut self, response: Option<&Response>, now: Instant) {
        match self.door.next(response, &mut self.peer) {
            Ok(Step::Ask(request)) => {
                // Until the other side knows who we are, checks would only be thrown away and come again late.
                self.peer.deadline = now + NEVER;
                self.ask(&request);
            }
            Ok(Step::Done) => {
                self.phase = Phase::Connecting;
                self.answered_at = Some(now);
                if let Part::Viewer(viewer) = &mut self.part {
                    viewer.expect(&self.peer.remote);
                }
                self.peer.tick(now);
            }
            Err(why) => self.fail(why),
        }
    }

    fn ask(&mut self, request: &Request) {
        match Exchange::start(request) {
            Ok(exchange) => {
                self.exchange = Some(exchange);
                self.new_exchange = true;
            }
            Err(why) => self.fail(format!("http {why}")),
        }
    }

    /// The door's socket, once per exchange: it is to be watched.
    pub fn unheard(&mut self) -> Option<RawFd> {
        let fresh = std::mem::take(&mut self.new_exchange);
        self.exchange.as_ref().filter(|_| fresh).map(Exchange::fd)
    }

    /// The door's socket is ready.
    pub fn drive(&mut self, now: Instant) {
        let Some(exchange) = &mut self.exchange else { return };
        match exchange.drive() {
            Ok(None) => {}
            Ok(Some(response)) => {
                self.exchange = None;
                match self.phase {
                    Phase::Asking => self.converse(Some(&response), now),
                    Phase::Leaving => self.phase = Phase::Gone,
                    _ => {}
                }
            }
            Err(why) => {
                self.exchange = None;
                match self.phase {
                    Phase::Leaving => self.phase = Phase::Gone,
                    _ => self.fail(format!("http {why}")),
                }
            }
        }
    }

    /// What str0m told since last asked. `at`: when the datagram behind it arrived, in nanoseconds since 1970.
    pub fn react(&mut self, now: Instant, at: u64, world: &mut World) {
        self.peer.news = false;
        if let Some(keys) = crate::keys::take() {
            self.profile = keys.profile.to_string();
            match &mut self.part {
                Part::Viewer(viewer) if !viewer.full => viewer.unlock(&keys, self.number, world),
                _ => {}
            }
        }
        let mut early = Vec::new();
        for event in std::mem::take(&mut self.peer.events) {
            match (&event, &mut self.part) {
                (Event::Connected, part) => {
                    self.connected_at = Some(now);
                    self.phase = Phase::Connected;
                    if let Part::Viewer(viewer) = part {
                        viewer.since = Some(at);
                    }
                    match part {
                        Part::Publisher(publisher) => {
                            publisher.start(&self.peer, &world.clips, now);
                            self.phase = Phase::Joined;
                        }
                        Part::Viewer(viewer) if viewer.full => early = viewer.opened(),
                        Part::Viewer(_) => {}
                    }
                }
                (Event::RtpPacket(packet), Part::Viewer(viewer)) => viewer.take(packet, at, world),
                (event, Part::Publisher(publisher)) => publisher.requested(event),
                _ => {}
            }
        }
        for Early { from, arrived, at, datagram } in early {
            self.peer.feed(arrived, from, &datagram);
            self.react(now, at, world);
        }
        if let Some(why) = self.peer.failed.take() {
            self.fail(why);
        }
    }

    /// Whether a viewer has what it came for.
    pub fn check_joined(&mut self, plan: &Plan) {
        let Part::Viewer(viewer) = &self.part else { return };
        if self.phase == Phase::Connected && (plan.idle || viewer.first_frame(plan.video).is_some()) {
            self.phase = Phase::Joined;
        }
    }

    /// Keeps the door open.
    pub fn stay(&mut self, now: Instant) {
        if now >= self.keep_alive_at && self.exchange.is_none() {
            self.keep_alive_at = now + KEEP_ALIVE;
            if let Some(request) = self.door.keep_alive() {
                self.ask(&request);
            }
        }
    }

    /// Ends the transport.
    pub fn hang_up(&mut self) {
        self.peer.close(Instant::now());
        self.exchange = None;
    }

    /// Tells the door that we left, and waits for its answer: to be called until the member is gone.
    pub fn leave(&mut self) {
        if self.phase == Phase::Leaving {
            return self.drive(Instant::now());
        }
        self.phase = Phase::Leaving;
        if let Some(request) = self.door.leave() {
            self.ask(&request);
        }
        if self.exchange.is_none() {
            self.phase = Phase::Gone;
        }
    }
}
