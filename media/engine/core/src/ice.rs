//! The ICE-lite end of one transport (RFC 8445 section 2.5, RFC 7675 consent).
//!
//! We answer authenticated checks and follow the peer's nomination. An address becomes a *pair* only through a check whose
//! MESSAGE-INTEGRITY verified, and only pairs may deliver DTLS or SRTP. After a restart both generations are answered and
//! the old pair serves until the peer nominates a new one.
//!
//! Whoever knows the password can forge a check's source address, so media goes to a pair only once it is *proven*: a
//! connection, or an address that answered a check of ours with a transaction nobody else was told (RFC 8445 section 7.2;
//! a lite agent need not ask, and a full one must answer). Until then it gets what it asks for, packet for packet.

use std::time::{Duration, Instant};

use aws_lc_rs::{error::Unspecified, rand::fill};

use crate::command::IceCredentials;
use crate::outbox::Path;
use crate::stun::{self, TransactionId};

/// Pairs remembered per peer.
const PAIRS: usize = 8;
/// No authenticated check for this long: the peer no longer consents to receive.
pub const CONSENT: Duration = Duration::from_secs(30);
/// A nominated pair that repeats its nomination less often than this yields to a weaker one.
const NOMINATION_FRESH: Duration = Duration::from_secs(3);
/// An address that does not answer is asked again by itself this often, after `ASK_AFTER`, twice that and so on.
const REPEATS: u32 = 4;
const ASK_AFTER: Duration = Duration::from_millis(100);
/// PRIORITY of our checks: that of a host candidate; a peer that knows our candidate does not look at it.
const PRIORITY: u32 = 126 << 24 | 0xffff << 8 | 255;

#[derive(Debug, Clone, Copy)]
struct Pair {
    path: Path,
    generation: u32,
    priority: u32,
    last_check: Instant,
    last_nomination: Option<Instant>,
    /// What it is asked; None for a connection.
    asked: Option<Asked>,
}

impl Pair {
    fn is_proven(&self) -> bool {
        self.asked.is_none_or(|asked| asked.answered)
    }
}

#[derive(Debug, Clone, Copy)]
struct Asked {
    transaction: TransactionId,
    repeats: u32,
    /// When it is asked again, whether or not the peer checks again.
    due: Option<Instant>,
    answered: bool,
}

impl Asked {
    /// What a new pair is asked: nothing if it is a connection, else something nobody can guess. An error if the system has no randomness.
    fn of(path: Path, now: Instant) -> Result<Option<Asked>, Unspecified> {
        let mut transaction = TransactionId::default();
        if path.is_tcp() {
            return Ok(None);
        }
        fill(&mut transaction)?;
        Ok(Some(Asked { transaction, repeats: 0, due: Some(now), answered: false }))
    }

    /// It is asked now.
    fn again(&mut self, now: Instant) -> TransactionId {
        self.due = (self.repeats < REPEATS).then(|| now + ASK_AFTER * (1 << self.repeats));
        self.repeats = REPEATS.min(self.repeats + 1);
        self.transaction
    }
}

/// One accepted check.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    pub path: Path,
    /// Of the credentials it was made with, see `Ice::key`.
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
    /// Media goes to this pair from now on.
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
    /// The earliest time any pair is asked.
    ask_due: Option<Instant>,
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
            ask_due: None,
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

    /// Where to send, if anywhere: the nominated pair, before that the latest checked one, proven both.
    pub fn selected(&self) -> Option<Path> {
        self.selected.or_else(|| self.pairs.iter().filter(|p| p.is_proven()).max_by_key(|p| p.last_check).map(|p| p.path))
    }

    /// Whether this path is a pair.
    pub fn knows(&self, path: Path) -> bool {
        self.pair(path).is_some()
    }

    /// Every pair.
    pub fn paths(&self) -> impl Iterator<Item = Path> + '_ {
        self.pairs.iter().map(|p| p.path)
    }

    /// The last authenticated check.
    pub fn last_check(&self) -> Instant {
        self.last_check
    }

    /// Whether this path is proven and was checked less than `within` ago.
    pub fn is_fresh(&self, path: Path, within: Duration, now: Instant) -> bool {
        self.pair(path).is_some_and(|pair| pair.is_proven() && now.saturating_duration_since(pair.last_check) < within)
    }

    /// Takes note of a check whose integrity has been verified.
    pub fn accepted(&mut self, check: Check, now: Instant) -> Changes {
        let mut changes = Changes::default();
        let Check { path, generation, priority, nominate } = check;
        let at = match self.pairs.iter().position(|p| p.path == path) {
            Some(at) => at,
            None => {
                let Ok(asked) = Asked::of(path, now) else { return changes };
                if self.pairs.len() >= PAIRS {
                    changes.removed = self.forget_stalest();
                }
                changes.added = true;
                self.pairs.push(Pair { path, generation, priority, last_check: now, last_nomination: None, asked });
                self.pairs.len() - 1
            }
        };
        self.last_check = now;
        let pair = &mut self.pairs[at];
        pair.generation = pair.generation.max(generation);
        pair.priority = priority;
        pair.last_check = now;
        if let Some(asked) = pair.asked.as_mut().filter(|asked| !asked.answered) {
            asked.due = Some(now);
            self.ask_due = Some(now);
        }
        if nominate {
            pair.last_nomination = Some(now);
            self.consider(at, now, &mut changes);
        }
        changes
    }

    /// When `question` has one.
    pub fn ask_due(&self) -> Option<Instant> {
        self.ask_due
    }

    /// A check for the next address that is to be asked by now: where it goes, and its length in `out`.
    pub fn question(&mut self, now: Instant, out: &mut [u8]) -> Option<(Path, usize)> {
        let due = |pair: &Pair| pair.asked.and_then(|asked| asked.due).is_some_and(|at| at <= now);
        let at = self.pairs.iter().position(due);
        let transaction = at.and_then(|at| self.pairs[at].asked.as_mut()).map(|asked| asked.again(now));
        self.ask_due = self.first_due();
        let (pair, transaction) = (self.pairs[at?], transaction?);
        let of = self.credentials(pair.generation);
        let username = format!("{}:{}", of.remote_ufrag, of.local_ufrag);
        let check = stun::Ice { username: &username, priority: PRIORITY, controlling: false, tie_breaker: 0, nominate: false };
        let len = stun::binding_request(out, transaction, &check, &stun::Key::new(of.remote_pwd.as_bytes())).ok()?;
        Some((pair.path, len))
    }

    /// The key an answer from this path has to be made with, if that was asked there.
    pub fn answer_key(&self, path: Path, transaction: &TransactionId) -> Option<stun::Key> {
        let pair = self.pair(path).filter(|pair| pair.asked.is_some_and(|asked| asked.transaction == *transaction))?;
        Some(stun::Key::new(self.credentials(pair.generation).remote_pwd.as_bytes()))
    }

    /// Takes note of an answer whose integrity has been verified: the path is proven.
    pub fn answered(&mut self, path: Path, now: Instant) -> Changes {
        let mut changes = Changes::default();
        let Some(at) = self.pairs.iter().position(|p| p.path == path) else { return changes };
        let Some(asked) = self.pairs[at].asked.as_mut().filter(|asked| !asked.answered) else { return changes };
        (asked.answered, asked.due) = (true, None);
        self.ask_due = self.first_due();
        if self.pairs[at].last_nomination.is_some() {
            self.consider(at, now, &mut changes);
        }
        changes
    }

    fn pair(&self, path: Path) -> Option<&Pair> {
        self.pairs.iter().find(|pair| pair.path == path)
    }

    fn first_due(&self) -> Option<Instant> {
        self.pairs.iter().filter_map(|pair| pair.asked?.due).min()
    }

    fn credentials(&self, generation: u32) -> &IceCredentials {
        match &self.next {
            Some(next) if generation > self.generation => &next.of,
            _ => &self.current.of,
        }
    }

    /// A pair was nominated, or one that had been is proven now.
    fn consider(&mut self, at: usize, now: Instant, changes: &mut Changes) {
        let pair = self.pairs[at];
        if !pair.is_proven() || !self.should_select(&pair, now) {
            return;
        }
        changes.selected = self.selected != Some(pair.path);
        self.selected = Some(pair.path);
        self.selected_generation = pair.generation;
        if pair.generation > self.generation {
            self.adopt_next(changes);
        }
    }

    /// A connection is gone: its pair is no longer one. True if the peer was using it.
    pub fn lost(&mut self, path: Path) -> bool {
        self.pairs.retain(|p| p.path != path);
        let used = self.selected == Some(path);
        if used {
            // Fall back to what was nominated last.
            let served = self.pairs.iter().filter(|p| p.is_proven() && p.last_nomination.is_some());
            self.selected = served.max_by_key(|p| p.last_nomination).map(|p| p.path);
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
        let Some(current) = self.selected.and_then(|path| self.pair(path)) else {
            return true;
        };
        let fresh = current.last_nomination.is_some_and(|at| now.saturating_duration_since(at) < NOMINATION_FRESH);
        // It may have been nominated before the current one was, and proven only now.
        let latest = candidate.last_nomination >= current.last_nomination;
        candidate.generation > self.selected_generation || candidate.priority >= current.priority && latest || !fresh
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

    /// A check from an address that answers at once when it is asked.
    fn proven(ice: &mut Ice, check: Check, now: Instant) -> Changes {
        let mut changes = ice.accepted(check, now);
        if ice.question(now, &mut [0; 256]).is_some() {
            let answered = ice.answered(check.path, now);
            changes.selected |= answered.selected;
            changes.retired.extend(answered.retired);
        }
        changes
    }

    #[test]
    fn an_address_is_served_once_it_has_answered_and_connections_at_once() {
        let t = Instant::now();
        let mut ice = Ice::new(credentials(0), t);
        assert!(!ice.accepted(check(1, 0, 100, true), t).selected);
        assert_eq!((ice.selected(), ice.is_fresh(path(1), CONSENT, t)), (None, false));
        let mut out = [0; 256];
        let (to, len) = ice.question(t, &mut out).unwrap();
        let question = stun::Message::parse(&out[..len]).unwrap();
        assert_eq!((to, question.class, question.username()), (path(1), stun::Class::Request, Some("them0:us0")));
        assert_eq!(question.verify_integrity(&stun::Key::new(b"theirpassword0")), Ok(()));
        assert!(ice.answer_key(path(1), &[0; 12]).is_none() && ice.answer_key(path(2), &question.transaction).is_none());
        assert!(ice.answer_key(path(1), &question.transaction).is_some());
        assert!(ice.answered(path(1), t).selected);
        assert_eq!((ice.selected(), ice.is_fresh(path(1), CONSENT, t), ice.ask_due()), (Some(path(1)), true, None));
        assert!(ice.answer_key(path(1), &question.transaction).is_some(), "asked twice, it answers twice");
        assert_eq!(ice.answered(path(1), t), Changes::default());
        let connection = Path { tcp: 7, ..path(2) };
        assert!(ice.accepted(Check { path: connection, generation: 0, priority: 200, nominate: true }, t).selected);
    }

    #[test]
    fn who_does_not_answer_is_asked_a_few_times_more_and_then_only_when_it_checks() {
        let t = Instant::now();
        let mut ice = Ice::new(credentials(0), t);
        ice.accepted(check(1, 0, 100, true), t);
        let mut asked = Vec::new();
        while let Some(due) = ice.ask_due() {
            let mut out = [0; 256];
            let (_, len) = ice.question(due, &mut out).unwrap();
            asked.push((due.duration_since(t).as_millis(), stun::Message::parse(&out[..len]).unwrap().transaction));
        }
        assert_eq!(asked.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0, 100, 300, 700, 1500]);
        assert!(asked.iter().all(|(_, transaction)| *transaction == asked[0].1), "whichever of them is answered");
        let later = t + Duration::from_secs(9);
        ice.accepted(check(1, 0, 100, true), later);
        assert!(ice.question(later, &mut [0; 256]).is_some() && ice.question(later, &mut [0; 256]).is_none());
        assert_eq!((ice.ask_due(), ice.selected()), (None, None));
    }

    #[test]
    fn the_best_nominated_pair_serves_and_a_rebound_address_takes_over_at_once() {
        let t = Instant::now();
        let mut ice = Ice::new(credentials(0), t);
        assert!(proven(&mut ice, check(1, 0, 100, true), t).selected);
        assert!(!proven(&mut ice, check(2, 0, 50, true), t).selected);
        assert_eq!(ice.selected(), Some(path(1)));
        let changes = proven(&mut ice, check(3, 0, 100, true), t);
        assert_eq!((changes.added, changes.selected, ice.selected()), (true, true, Some(path(3))));
    }

    #[test]
    fn an_answer_that_comes_late_undoes_no_later_nomination() {
        let t = Instant::now();
        let mut ice = Ice::new(credentials(0), t);
        ice.accepted(check(1, 0, 100, true), t);
        ice.question(t, &mut [0; 256]).unwrap();
        let later = t + Duration::from_millis(50);
        assert!(proven(&mut ice, check(2, 0, 100, true), later).selected);
        assert!(!ice.answered(path(1), later + Duration::from_millis(50)).selected);
        assert_eq!(ice.selected(), Some(path(2)));
    }

    #[test]
    fn a_weaker_pair_takes_over_when_the_better_one_falls_silent() {
        let t = Instant::now();
        let mut ice = Ice::new(credentials(0), t);
        proven(&mut ice, check(1, 0, 100, true), t);
        proven(&mut ice, check(2, 0, 50, true), t + Duration::from_secs(4));
        assert_eq!(ice.selected(), Some(path(2)));
    }

    #[test]
    fn after_a_restart_the_old_pair_serves_until_a_new_one_is_nominated() {
        let t = Instant::now();
        let mut ice = Ice::new(credentials(0), t);
        proven(&mut ice, check(1, 0, 100, true), t);
        assert_eq!(ice.restart(credentials(1)), None);
        assert_eq!((generation(&ice, "us0:x"), generation(&ice, "us1:x")), (Some(0), Some(1)));
        proven(&mut ice, check(2, 1, 1, false), t);
        assert_eq!(ice.selected(), Some(path(1)));
        let changes = proven(&mut ice, check(2, 1, 1, true), t);
        assert_eq!((changes.selected, changes.retired), (true, vec!["us0".to_string()]));
        assert_eq!((ice.selected(), generation(&ice, "us0:x"), generation(&ice, "us1:x")), (Some(path(2)), None, Some(1)));
    }

    #[test]
    fn pairs_are_bounded_and_the_selected_one_is_kept() {
        let t = Instant::now();
        let mut ice = Ice::new(credentials(0), t);
        proven(&mut ice, check(1, 0, 100, true), t);
        for port in 2..100 {
            ice.accepted(check(port, 0, 1, false), t + Duration::from_millis(u64::from(port)));
        }
        assert_eq!((ice.paths().count(), ice.selected()), (PAIRS, Some(path(1))));
    }
}
