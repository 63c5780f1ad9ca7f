import { describe, expect, it } from "vitest";
import { FRESH, follow, jumped, LANDING_MS, NUDGE } from "../../src/media/replay/sync";

describe("a picture in step with the master", () => {
  it("is left alone while near", () => {
    for (const drift of [-39, -5, 0, 20, 39]) expect(follow(FRESH, drift, 1.5, 0)).toMatchObject({ rate: 1.5, seek: null });
  });

  it("is nudged until it has settled, not only until it is near", () => {
    const off = follow(FRESH, -90, 1, 0);
    expect(off.rate).toBeCloseTo(1 + NUDGE);
    const nearly = follow(off.next, -30, 1, 250);
    expect(nearly.rate).toBeCloseTo(1 + NUDGE);
    const settled = follow(nearly.next, -10, 1, 500);
    expect(settled).toMatchObject({ rate: 1, seek: null });
    expect(follow(settled.next, -30, 1, 750).rate).toBe(1);
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

  it("learns how far ahead a seek has to aim", () => {
    let state = FRESH;
    let late = 300;
    for (let turn = 0; turn < 8; turn++) {
      const jump = jumped(state, 1, turn * 10_000, true);
      late = 300 - (jump.seek ?? 0);
      state = follow(jump.next, -late, 1, turn * 10_000 + LANDING_MS).next;
    }
    expect(Math.abs(late)).toBeLessThan(20);
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
