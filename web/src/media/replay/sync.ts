/**
 * Keeps a muted picture in step with the master clock. Pure: drift, speed and time go in, what to do comes out.
 *
 * near (< 25 ms): nothing · off (25-400 ms): 6 % faster or slower until within 10 ms · far: seek. A seek aims a little ahead of where the
 * master will be; once it has landed, a picture that is ahead waits for the master, and one that is behind catches up by up to 50 % (it has
 * no sound of its own to be heard wrong, and a seek is a cut anyway).
 */
/** So much later than its `currentTime` says is a moving picture seen (measured in Chromium: 19 ms at the median): composing, the display. */
export const SHOWN_MS = 16;
export const NEAR_MS = 25;
export const SETTLED_MS = 10;
export const FAR_MS = 400;
export const NUDGE = 0.06;
export const CATCH_UP = 0.5;
/** What is left of being behind after this long is a third. */
const CATCHING_MS = 200;
/** No sooner is a seek judged, even if it has landed: the master seeks, too. */
export const LANDING_MS = 80;
/** So far ahead a seek is meant to land: waiting is exact and at once, catching up takes its time. */
const MARGIN_MS = 40;
const FIRST_LEAD_MS = 100;
const MOST_LEAD_MS = 350;

export interface Following {
  nudging: boolean;
  /** a seek or a start was a little off and is being made good */
  catching: boolean;
  /** no judgement before then */
  landing: number;
  /** it waits for the master until then */
  held: boolean;
  /** how far ahead of the master to seek, learnt from where seeks landed */
  lead: number;
  /** the last step was a seek whose landing is to be learnt from */
  learning: boolean;
}

export const FRESH: Following = { nudging: false, catching: false, landing: 0, held: false, lead: FIRST_LEAD_MS, learning: false };

export interface Step {
  /** 0: it waits */
  rate: number;
  /** ms to add to the master's position and seek there; null: no seek */
  seek: number | null;
  next: Following;
}

/** `drift` is the position of what is seen minus the master's (ms), `rate` the master's speed, `now` any clock in ms. */
export function follow(state: Following, drift: number, rate: number, now: number, playing = true): Step {
  if (now < state.landing) return { rate: state.held ? 0 : rate, seek: null, next: state };
  const off = Math.abs(drift);
  const learnt = state.learning && playing && off <= 1000 ? bound(state.lead - (drift / rate - MARGIN_MS) / 2, MOST_LEAD_MS) : state.lead;
  const settled: Following = { ...FRESH, lead: learnt };
  if (!playing) return off > NEAR_MS ? sought(settled, 0, rate, now, false) : { rate, seek: null, next: { ...settled, catching: true } };
  if (off > FAR_MS) return sought(settled, learnt * rate, rate, now, true);
  const catching = (state.learning || state.catching) && off > SETTLED_MS;
  if (catching && drift > 0) return { rate: 0, seek: null, next: { ...settled, catching, held: true, landing: now + drift / rate } };
  const nudging = !catching && (state.nudging ? off > SETTLED_MS : off > NEAR_MS);
  const by = catching ? Math.max(NUDGE, Math.min(CATCH_UP, off / CATCHING_MS)) : nudging ? NUDGE : 0;
  return { rate: rate * (drift > 0 ? 1 - by : 1 + by), seek: null, next: { ...settled, nudging, catching } };
}

/** The state after a jump of the master: seek at once. */
export function jumped(state: Following, rate: number, now: number, playing: boolean): Step {
  return sought({ ...FRESH, lead: state.lead }, playing ? state.lead * rate : 0, rate, now, playing);
}

function sought(state: Following, lead: number, rate: number, now: number, playing: boolean): Step {
  return { rate, seek: lead, next: { ...state, landing: now + LANDING_MS, learning: playing } };
}

const bound = (value: number, most: number) => Math.max(0, Math.min(most, value));
