//! The ICE-lite end of one transport (RFC 8445 section 2.5, RFC 7675 consent).
//!
//! We never check; we answer authenticated checks and follow the peer's nomination. An address becomes a *pair* only
//! through a check whose MESSAGE-INTEGRITY verified, and only pairs may deliver DTLS or SRTP. After a restart both
//! generations are answered and the old pair serves until the peer nominates a new one.

use std::time::{Duration, Instant};

use crate::command::IceCredentials;
use crate::outbox::Path;
use crate::stun;

/// Pairs remembered per peer.
const PAIRS: usize = 8;
/// No authenticated check for this long: the peer no longer consents to receive.
pub const CONSENT: Duration = Duration::from_secs(30);
/// A nominated pair that repeats its nomination less often than this yields to a weaker one.
const NOMINATION_FRESH: Duration = Duration::from_secs(3);

#[derive(Debug, Clone, Copy)]
struct Pair {
    path: Path,
    generation: u32,
    priority: u32,
    last_check: Instant,
    last_nomination: Option<Instant>,
}

/// One accepted check.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    pub path: Path,
    /// 0 = the credentials before a restart, see `Ice::password`.
    pub generation: u32,
    /// PRIORITY attribute.
    pub priority: u32,
    /// USE-CANDIDATE was present.
    pub nominate: bool,
}

/// What an accepted check changed.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Changes {
    /// The pair is new and must be routed to this peer.
    pub added: bool,
    /// This pair was forgotten.
    pub removed: Option<Path>,
    /// Media now goes to this check's path.
    pub selected: bool,
    /// These local fragments are no longer valid.
    pub retired: Vec<String>,
}

/// Credentials with the schedule of our password.
#[derive(Debug)]
struct Known {
    of: IceCredentials,
    key: stun::Key,
}

impl Known {
    fn new(of: IceCredentials) -> Known {
        Known { key: stun::Key::new(of.local_pwd.as_bytes()), of }
    }
}

/// ICE state of one peer.
#[derive(Debug)]
pub struct Ice {
    generation: u32,
    current: Known,
    next: Option<Known>,
    pairs: Vec<Pair>,
    selected: Option<Path>,
    selected_generation: u32,
    last_check: Instant,
}

impl Ice {
    pub fn new(credentials: IceCredentials, now: Instant) -> Ice {
        Ice {
            generation: 0,
            current: Known::new(credentials),
            next: None,
            pairs: Vec::new(),
            selected: None,
            selected_generation: 0,
            last_check: now,
        }
    }

    /// Second set of credentials; returns a fragment that an earlier unfinished restart had brought.
    pub fn restart(&mut self, credentials: IceCredentials) -> Option<String> {
        self.next.replace(Known::new(credentials)).map(|old| old.of.local_ufrag)
    }

    /// Generation and MESSAGE-INTEGRITY key for a USERNAME ("ours:theirs").
    pub fn key(&self, username: &str) -> Option<(u32, &stun::Key)> {
        let (ours, _) = username.split_once(':')?;
        match &self.next {
            Some(next) if next.of.local_ufrag == ours => Some((self.generation + 1, &next.key)),
            _ if self.current.of.local_ufrag == ours => Some((self.generation, &self.current.key)),
            _ => None,
        }
    }

    /// Every local fragment that names this peer.
    pub fn local_ufrags(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.current).chain(&self.next).map(|known| known.of.local_ufrag.as_str())
    }

    /// Where to send, if anywhere: the nominated pair, before that the latest checked one.
    pub fn selected(&self) -> Option<Path> {
        self.selected.or_else(|| self.pairs.iter().max_by_key(|p| p.last_check).map(|p| p.path))
    }

    /// Every pair.
    pub fn paths(&self) -> impl Iterator<Item = Path> + '_ {
        self.pairs.iter().map(|p| p.path)
    }

    /// The last authenticated check.
    pub fn last_check(&self) -> Instant {
        self.last_check
    }

    /// Whether this path's pair was checked less than `within` ago.
    pub fn is_fresh(&self, path: Path, within: Duration, now: Instant) -> bool {
        self.pairs.iter().any(|p| p.path == path && now.saturating_duration_since(p.last_check) < within)
    }

    /// Takes note of a check whose integrity has been verified.
    pub fn accepted(&mut self, check: Check, now: Instant) -> Changes {
        let mut changes = Changes::default();
        self.last_check = now;
        let at = match self.pairs.iter().position(|p| p.path == check.path) {
            Some(at) => at,
            None => {
                if self.pairs.len() >= PAIRS {
                    changes.removed = self.forget_stalest();
                }
                changes.added = true;
                let Check { path, generation, priority, .. } = check;
                self.pairs.push(Pair { path, generation, priority, last_check: now, last_nomination: None });
                self.pairs.len() - 1
            }
        };
        let pair = &mut self.pairs[at];
        pair.generation = pair.generation.max(check.generation);
        pair.priority = check.priority;
        pair.last_check = now;
        if check.nominate {
            pair.last_nomination = Some(now);
            let pair = *pair;
            if self.should_select(&pair, now) {
                changes.selected = self.selected != Some(pair.path);
                self.selected = Some(pair.path);
                self.selected_generation = pair.generation;
                if check.generation > self.generation {
                    self.adopt_next(&mut changes);
                }
            }
        }
        changes
    }

    /// A connection is gone: its pair is no longer one. True if the peer was using it.
    pub fn lost(&mut self, path: Path) -> bool {
        self.pairs.retain(|p| p.path != path);
        let used = self.selected == Some(path);
        if used {
            // Fall back to what was nominated last.
            self.selected = self.pairs.iter().filter(|p| p.last_nomination.is_some()).max_by_key(|p| p.last_nomination).map(|p| p.path);
        }
        used
    }

    fn adopt_next(&mut self, changes: &mut Changes) {
        if let Some(next) = self.next.take() {
            let old = std::mem::replace(&mut self.current, next);
            self.generation += 1;
            changes.retired.push(old.of.local_ufrag);
        }
    }

    /// Aggressive nomination names several pairs: the highest priority wins; a silent pair yields.
    fn should_select(&self, candidate: &Pair, now: Instant) -> bool {
        let Some(current) = self.selected.and_then(|path| self.pairs.iter().find(|p| p.path == path)) else {
            return true;
        };
        let fresh = current.last_nomination.is_some_and(|at| now.saturating_duration_since(at) < NOMINATION_FRESH);
        candidate.generation > self.selected_generation || candidate.priority >= current.priority || !fresh
    }

    fn forget_stalest(&mut self) -> Option<Path> {
        let at = (0..self.pairs.len()).filter(|&i| Some(self.pairs[i].path) != self.selected).min_by_key(|&i| self.pairs[i].last_check)?;
        Some(self.pairs.swap_remove(at).path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(n: u32) -> IceCredentials {
        IceCredentials {
            local_ufrag: format!("us{n}"),
            local_pwd: format!("ourpassword{n}"),
            remote_ufrag: format!("them{n}"),
            remote_pwd: format!("theirpassword{n}"),
        }
    }

    fn path(port: u16) -> Path {
        Path::udp(([127, 0, 0, 1], port).into())
    }

    fn generation(ice: &Ice, username: &str) -> Option<u32> {
        ice.key(username).map(|(generation, _)| generation)
    }

    fn check(port: u16, generation: u32, priority: u32, nominate: bool) -> Check {
        Check { path: path(port), generation, priority, nominate }
    }

    #[test]
    fn the_best_nominated_pair_serves_and_a_rebound_address_takes_over_at_once() {
        let t = Instant::now();
        let mut ice = Ice::new(credentials(0), t);
        assert!(ice.accepted(check(1, 0, 100, true), t).selected);
        assert!(!ice.accepted(check(2, 0, 50, true), t).selected);
        assert_eq!(ice.selected(), Some(path(1)));
        let changes = ice.accepted(check(3, 0, 100, true), t);
        assert_eq!((changes.added, changes.selected, ice.selected()), (true, true, Some(path(3))));
    }

    #[test]
    fn a_weaker_pair_takes_over_when_the_better_one_falls_silent() {
        let t = Instant::now();
        let mut ice = Ice::new(credentials(0), t);
        ice.accepted(check(1, 0, 100, true), t);
        ice.accepted(check(2, 0, 50, true), t + Duration::from_secs(4));
        assert_eq!(ice.selected(), Some(path(2)));
    }

    #[test]
    fn after_a_restart_the_old_pair_serves_until_a_new_one_is_nominated() {
        let t = Instant::now();
        let mut ice = Ice::new(credentials(0), t);
        ice.accepted(check(1, 0, 100, true), t);
        assert_eq!(ice.restart(credentials(1)), None);
        assert_eq!((generation(&ice, "us0:x"), generation(&ice, "us1:x")), (Some(0), Some(1)));
        ice.accepted(check(2, 1, 1, false), t);
        assert_eq!(ice.selected(), Some(path(1)));
        let changes = ice.accepted(check(2, 1, 1, true), t);
        assert_eq!((changes.selected, changes.retired), (true, vec!["us0".to_string()]));
        assert_eq!((ice.selected(), generation(&ice, "us0:x"), generation(&ice, "us1:x")), (Some(path(2)), None, Some(1)));
    }

    #[test]
    fn pairs_are_bounded_and_the_selected_one_is_kept() {
        let t = Instant::now();
        let mut ice = Ice::new(credentials(0), t);
        ice.accepted(check(1, 0, 100, true), t);
        for port in 2..100 {
            ice.accepted(check(port, 0, 1, false), t + Duration::from_millis(u64::from(port)));
        }
        assert_eq!((ice.paths().count(), ice.selected()), (PAIRS, Some(path(1))));
    }
}
