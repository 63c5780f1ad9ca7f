/**
 * Keeps a muted picture in step with the master clock. Pure: drift, speed and time go in, what to do comes out.
 *
 * near (< 40 ms): nothing · off (40-400 ms): 6 % faster or slower until within 15 ms · far: seek, wait for it to land, then catch up until
 * within 15 ms, by up to 25 % (a picture has no sound of its own to be heard wrong, and a seek is a cut anyway).
 */
export const NEAR_MS = 40;
export const SETTLED_MS = 15;
export const FAR_MS = 400;
export const NUDGE = 0.06;
export const CATCH_UP = 0.25;
/** How long a seek may take before it is judged. */
export const LANDING_MS = 350;
const FIRST_LEAD_MS = 60;
const MOST_LEAD_MS = 350;

export interface Following {
  nudging: boolean;
  /** a seek or a start was a little off and is being made good */
  catching: boolean;
  /** no judgement before then */
  landing: number;
  /** how far ahead of the master to seek, learnt from where seeks landed */
  lead: number;
  /** the last step was a seek whose landing is to be learnt from */
  learning: boolean;
}

export const FRESH: Following = { nudging: false, catching: false, landing: 0, lead: FIRST_LEAD_MS, learning: false };

export interface Step {
  rate: number;
  /** ms to add to the master's position and seek there; null: no seek */
  seek: number | null;
  next: Following;
}

/** `drift` is the picture's position minus the master's (ms), `rate` the master's speed, `now` any clock in ms. */
export function follow(state: Following, drift: number, rate: number, now: number, playing = true): Step {
  if (now < state.landing) return { rate, seek: null, next: state };
  const off = Math.abs(drift);
  const learnt = state.learning && playing && off <= 1000 ? bound(state.lead - drift / rate / 2, MOST_LEAD_MS) : state.lead;
  const settled: Following = { nudging: false, catching: false, landing: 0, lead: learnt, learning: false };
  if (!playing) return off > NEAR_MS ? sought(settled, 0, rate, now, false) : { rate, seek: null, next: { ...settled, catching: true } };
  if (off > FAR_MS) return sought(settled, learnt * rate, rate, now, true);
  const catching = (state.learning || state.catching) && off > SETTLED_MS;
  const nudging = !catching && (state.nudging ? off > SETTLED_MS : off > NEAR_MS);
  const by = catching ? Math.max(NUDGE, Math.min(CATCH_UP, off / FAR_MS)) : nudging ? NUDGE : 0;
  return { rate: rate * (drift > 0 ? 1 - by : 1 + by), seek: null, next: { ...settled, nudging, catching } };
}

/** The state after a jump of the master: seek at once. */
export function jumped(state: Following, rate: number, now: number, playing: boolean): Step {
  return sought({ ...state, nudging: false, catching: false }, playing ? state.lead * rate : 0, rate, now, playing);
}

function sought(state: Following, lead: number, rate: number, now: number, playing: boolean): Step {
  return { rate, seek: lead, next: { ...state, landing: now + LANDING_MS, learning: playing } };
}

const bound = (value: number, most: number) => Math.max(0, Math.min(most, value));
