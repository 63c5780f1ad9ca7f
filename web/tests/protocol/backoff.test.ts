import { expect, test } from "vitest";
import { reconnectDelay } from "../../src/protocol/backoff";

test("whoever was cut off for two seconds or more waits half of that time at most until the next try, as a rule", () => {
  let tried = 0;
  for (let attempt = 0; tried < 120_000; attempt++) {
    const next = tried + reconnectDelay(attempt, 0.5);
    if (next > 2_000) expect(next - Math.max(2_000, tried)).toBeLessThanOrEqual(0.5 * Math.max(2_000, tried));
    tried = next;
  }
});

test("pauses are spread over half to one and a half, and have an end", () => {
  expect([reconnectDelay(0, 0), reconnectDelay(0, 0.999)]).toEqual([200, 600]);
  expect(reconnectDelay(10_000, 0.5)).toBe(12_000);
});
