const FIRST_MS = 400;
const MOST_MS = 12_000;

/** Milliseconds before the attempt-th reconnect (0 = first): doubling, capped, spread over half to one and a half so that a class does not return as one wave. */
export function reconnectDelay(attempt: number, random: number): number {
  const base = Math.min(MOST_MS, FIRST_MS * 2 ** Math.min(attempt, 10));
  return Math.round(base * (0.5 + random));
}
