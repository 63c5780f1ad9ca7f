import { describe, expect, it } from "vitest";
import { CATCH_UP, FRESH, follow, jumped, LANDING_MS, NUDGE, SETTLED_MS } from "../../src/media/replay/sync";

describe("a picture in step with the master", () => {
  it("is left alone while near", () => {
    for (const drift of [-24, -5, 0, 20, 24]) expect(follow(FRESH, drift, 1.5, 0)).toMatchObject({ rate: 1.5, seek: null });
  });

  it("is nudged until it has settled, not only until it is near", () => {
    const off = follow(FRESH, -90, 1, 0);
    expect(off.rate).toBeCloseTo(1 + NUDGE);
    const nearly = follow(off.next, -20, 1, 250);
    expect(nearly.rate).toBeCloseTo(1 + NUDGE);
    const settled = follow(nearly.next, -8, 1, 500);
    expect(settled).toMatchObject({ rate: 1, seek: null });
    expect(follow(settled.next, -20, 1, 750).rate).toBe(1);
  });

  it("is slowed when it is ahead, at the master's speed", () => {
    expect(follow(FRESH, 200, 2, 0).rate).toBeCloseTo(2 * (1 - NUDGE));
  });

  it("is sought when far, and not judged before the seek has landed", () => {
    const far = follow(FRESH, 5_000, 1, 1_000);
    expect(far.seek).toBeGreaterThanOrEqual(0);
    expect(follow(far.next, 5_000, 1, 1_000 + LANDING_MS - 1).seek).toBeNull();
    expect(follow(far.next, 5_000, 1, 1_000 + LANDING_MS).seek).not.toBeNull();
  });

  it("waits for the master after a seek that landed ahead, as long as it is ahead", () => {
    const landed = follow(jumped(FRESH, 2, 0, true).next, 120, 2, LANDING_MS);
    expect(landed).toMatchObject({ rate: 0, seek: null });
    const until = landed.next.landing;
    expect(until).toBe(LANDING_MS + 60);
    expect(follow(landed.next, 60, 2, until - 30)).toMatchObject({ rate: 0, seek: null, next: landed.next });
    expect(follow(landed.next, 1, 2, until)).toMatchObject({ rate: 2, seek: null });
    expect(jumped(landed.next, 2, 0, true)).toMatchObject({ rate: 2, next: { held: false } });
  });

  it("catches up after a seek that landed behind, and ever slower the nearer it comes", () => {
    let drift = -200;
    let state = jumped(FRESH, 1, 0, true).next;
    const rates: number[] = [];
    for (let now = LANDING_MS; Math.abs(drift) > SETTLED_MS && rates.length < 50; now += 100) {
      const step = follow(state, drift, 1, now);
      state = step.next;
      rates.push(step.rate);
      drift += (step.rate - 1) * 100;
    }
    expect(rates[0]).toBeCloseTo(1 + CATCH_UP);
    expect(rates.at(-1)).toBeLessThan(1.2);
    expect(rates.length).toBeLessThan(8);
    expect(follow(state, drift, 1, 60_000).rate).toBe(1);
  });

  it("learns how far ahead a seek has to aim to land a little ahead", () => {
    let state = FRESH;
    let late = 300;
    for (let turn = 0; turn < 8; turn++) {
      const jump = jumped(state, 1, turn * 10_000, true);
      late = 300 - (jump.seek ?? 0);
      state = follow(jump.next, -late, 1, turn * 10_000 + LANDING_MS).next;
    }
    expect(late).toBeLessThan(-20);
    expect(late).toBeGreaterThan(-60);
  });

  it("stands exactly where the master stands when paused", () => {
    expect(follow(FRESH, 120, 1, 0, false)).toMatchObject({ seek: 0, rate: 1 });
    expect(follow(FRESH, 20, 1, 0, false).seek).toBeNull();
    expect(jumped(FRESH, 2, 0, false).seek).toBe(0);
  });

  it("comes back into step from any drift within seconds (a picture that plays 300 ppm fast)", () => {
    for (const start of [-390, -100, 45, 380]) {
      let drift = start;
      let state = FRESH;
      for (let now = 0; now < 10_000; now += 100) {
        const step = follow(state, drift, 1, now);
        state = step.next;
        drift += (step.rate * 1.0003 - 1) * 100;
      }
      expect(Math.abs(drift)).toBeLessThan(40);
    }
  });
});
