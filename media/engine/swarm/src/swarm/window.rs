//! The stages of a run and its measured window.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::{wall_clock, Stage, Swarm, JOIN_TICK, LEAVE_PATIENCE};
use crate::http::{Exchange, Request};
use crate::measure::{Mark, Outcome};
use crate::member::{Part, Phase};
use crate::net::thread_cpu;
use crate::report::Spread;
use crate::server::{receive_buffer_errors, Usage};

impl Swarm<'_> {
    /// The next stage, if it is time.
    pub(super) fn advance(&mut self, now: Instant) -> Result<(), String> {
        match self.stage {
            Stage::Publishing if self.members.iter().take(self.plan.publishers).flatten().all(|m| m.settled) => {
                eprintln!("swarm: {} publishers, {} viewers to come", self.plan.publishers, self.plan.viewers);
                self.joins.began = Some(now);
                self.stage = Stage::Joining;
            }
            Stage::Joining if self.waiting.is_empty() && self.underway == 0 => {
                eprintln!("swarm: {} joined, {} failed", self.joins.joined, self.joins.failed_count());
                self.stage = Stage::WarmUp(now + self.plan.warm_up);
            }
            Stage::WarmUp(until) if now >= until => {
                self.world.late = Spread::default();
                let mut mark = self.mark()?;
                self.world.counting = true;
                (mark.at, mark.cpu) = (Instant::now(), thread_cpu().2);
                let wall = wall_clock();
                for member in self.members.iter_mut().flatten() {
                    if let Part::Viewer(viewer) = &mut member.part {
                        viewer.begin(wall);
                    }
                }
                self.stage = Stage::Window(mark.at + self.plan.window);
                self.begin = Some(mark);
            }
            Stage::Window(until) => {
                self.churn(now);
                if now >= until {
                    self.close_window()?;
                }
            }
            Stage::Leaving(until) if now >= until || self.leavers.is_empty() => self.stage = Stage::Over,
            _ => {}
        }
        Ok(())
    }

    fn close_window(&mut self) -> Result<(), String> {
        let (at, cpu) = (Instant::now(), thread_cpu().2);
        let mark = self.mark()?;
        self.world.counting = false;
        self.end = Some(Mark { at, cpu, ..mark });
        let seconds = self.begin.as_ref().map_or(1.0, |begin| at.duration_since(begin.at).as_secs_f64());
        for member in self.members.iter().flatten() {
            *self.profiles.entry(member.profile.clone()).or_default() += 1;
            if let Part::Viewer(viewer) = &member.part {
                self.viewer_rates.add(((viewer.bytes - viewer.mark) as f64 * 8.0 / seconds) as u64);
            }
        }
        (0..self.members.len()).for_each(|i| self.retire(i));
        self.stage = Stage::Leaving(Instant::now() + LEAVE_PATIENCE);
        Ok(())
    }

    /// Replaces viewers, the longest here first.
    fn churn(&mut self, now: Instant) {
        let since = self.begin.as_ref().map_or(0.0, |begin| now.duration_since(begin.at).as_secs_f64());
        while self.plan.viewers > 0 && (self.churned as f64) < since * self.plan.churn {
            let number = (self.churned as usize) % self.plan.viewers;
            self.churned += 1;
            let i = self.plan.publishers + number;
            if self.members[i].as_ref().is_some_and(|m| m.phase == Phase::Joined) {
                self.retire(i);
                self.waiting.push_back(number);
            }
        }
    }

    fn mark(&self) -> Result<Mark, String> {
        let mut verdict = self.past.clone();
        for (i, member) in self.members.iter().enumerate() {
            if let Some(Part::Viewer(viewer)) = member.as_ref().map(|m| &m.part) {
                verdict.add(i - self.plan.publishers, viewer, wall_clock(), self.world.counting);
            }
        }
        let server = match self.plan.server {
            Some(pid) => Some(Usage::read(pid).ok_or_else(|| format!("no process {pid}"))?),
            None => None,
        };
        let figures = self.plan.figures.as_deref().map_or(Ok(Value::Null), fetch)?;
        let (at, cpu) = (Instant::now(), thread_cpu().2);
        Ok(Mark { at, cpu, verdict, published: self.world.output.clone(), dropped: receive_buffer_errors(), server, figures })
    }

    /// What is told at the end, and how many joins failed and streams broke.
    pub(super) fn report(&self) -> Result<(Value, u64), String> {
        let (Some(begin), Some(end)) = (&self.begin, &self.end) else { return Err("there was nothing to measure".into()) };
        let outcome = Outcome {
            plan: self.plan,
            joins: &self.joins,
            world: &self.world,
            begin,
            end,
            verdict: &end.verdict,
            viewer_rates: &self.viewer_rates,
            profiles: &self.profiles,
        };
        Ok((outcome.report(), end.verdict.broken + self.joins.failed_count()))
    }
}

/// GETs a JSON document, waiting for it.
fn fetch(url: &str) -> Result<Value, String> {
    let mut exchange = Exchange::start(&Request { method: "GET", url: url.into(), ..Request::default() })?;
    let until = Instant::now() + Duration::from_secs(5);
    while Instant::now() < until {
        if let Some(response) = exchange.drive()? {
            return serde_json::from_str(&response.body).map_err(|e| format!("{url}: {e}"));
        }
        std::thread::sleep(JOIN_TICK);
    }
    Err(format!("{url}: no answer"))
}
