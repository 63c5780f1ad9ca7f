const FIRST_MS = 400;
const GROWTH = 1.25;
const MOST_MS = 12_000;

/**
 * Milliseconds before the attempt-th reconnect (0 = first): each a quarter longer than the one before, capped, spread over half to one and
 * a half so that a class does not return as one wave. A node that was away for a few seconds is not waited for half as long again.
 */
export function reconnectDelay(attempt: number, random: number): number {
  const base = Math.min(MOST_MS, FIRST_MS * GROWTH ** attempt);
  return Math.round(base * (0.5 + random));
}
