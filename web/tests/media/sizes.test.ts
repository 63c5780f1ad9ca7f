import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { APPEAR_MS, GROW_MS, SHRINK_MS, SizeTeller, SlotSizes, stepped } from "../../src/media/sizes";
import { Refused } from "../../src/protocol/refused";
import type { SlotSize } from "../../src/protocol/types";

const sizes = (heights: Record<string, number>): SlotSize[] => Object.entries(heights).map(([mid, height]) => ({ mid, height }));

describe("a height to ask for", () => {
  it("is the next step of 90, zero only for what is not seen", () => {
    expect([0, 1, 90, 91, 180, 181.5, 200, 5000].map(stepped)).toEqual([0, 90, 90, 90, 180, 180, 270, 2160]);
  });
});

describe("slot sizes", () => {
  it("that grow are told soon, that shrink late", () => {
    const slots = new SlotSizes();
    slots.show(sizes({ a: 360, b: 180 }), 0);
    expect(slots.take(GROW_MS - 1)).toEqual([]);
    expect(slots.take(GROW_MS)).toEqual(sizes({ a: 360, b: 180 }));
    slots.show(sizes({ a: 180, b: 360 }), 1_000);
    expect(slots.take(1_000 + GROW_MS)).toEqual(sizes({ b: 360 }));
    expect(slots.take(1_000 + SHRINK_MS - 1)).toEqual([]);
    expect(slots.take(1_000 + SHRINK_MS)).toEqual(sizes({ a: 180 }));
    expect(slots.due).toBeNull();
  });

  it("of what comes into sight are told at once", () => {
    const slots = new SlotSizes();
    slots.show(sizes({ a: 0 }), 0);
    slots.take(SHRINK_MS);
    slots.show(sizes({ a: 360 }), 9_000);
    expect(slots.take(9_000 + APPEAR_MS)).toEqual(sizes({ a: 360 }));
  });

  it("that come back before they were told are not told", () => {
    const slots = new SlotSizes();
    slots.show(sizes({ a: 360 }), 0);
    slots.take(GROW_MS);
    slots.show(sizes({ a: 0 }), 1_000);
    slots.show(sizes({ a: 360 }), 2_500);
    expect(slots.due).toBeNull();
    expect(slots.take(10_000)).toEqual([]);
  });

  it("that go on growing are told on the way", () => {
    const slots = new SlotSizes();
    for (let now = 0; now < GROW_MS; now += 10) slots.show(sizes({ a: 90 + now }), now);
    expect(slots.take(GROW_MS)).toEqual(sizes({ a: 90 + GROW_MS - 10 }));
  });

  it("of a picture that is not seen are told, though nothing was told before", () => {
    const slots = new SlotSizes();
    slots.show(sizes({ a: 0 }), 0);
    expect(slots.take(SHRINK_MS - 1)).toEqual([]);
    expect(slots.take(SHRINK_MS)).toEqual(sizes({ a: 0 }));
  });

  it("of a place that is empty now stay as they are", () => {
    const slots = new SlotSizes();
    slots.show(sizes({ a: 360 }), 0);
    slots.take(GROW_MS);
    slots.show([], 1_000);
    expect(slots.due).toBeNull();
    slots.show(sizes({ a: 360 }), 2_000);
    expect(slots.due).toBeNull();
  });

  it("are told once more to whoever knows nothing", () => {
    const slots = new SlotSizes();
    slots.show(sizes({ a: 360 }), 0);
    slots.take(GROW_MS);
    slots.forget();
    slots.show(sizes({ a: 360 }), 1_000);
    expect(slots.take(1_000 + GROW_MS)).toEqual(sizes({ a: 360 }));
  });

  it("end up as they are shown, and are never told as they were told already", () => {
    const step = fc.record({
      wait: fc.integer({ min: 0, max: 3_000 }),
      shown: fc.dictionary(fc.constantFrom("a", "b", "c"), fc.constantFrom(0, 90, 180, 360, 720)),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const slots = new SlotSizes();
        const told = new Map<string, number>();
        let now = 0;
        let shown: SlotSize[] = [];
        const take = () => {
          for (const { mid, height } of slots.take(now)) {
            expect(told.get(mid)).not.toBe(height);
            told.set(mid, height);
          }
        };
        for (const step of steps) {
          shown = sizes(step.shown);
          slots.show(shown, now);
          now += step.wait;
          take();
        }
        now += SHRINK_MS;
        take();
        expect(slots.due).toBeNull();
        for (const { mid, height } of shown) expect(told.get(mid)).toBe(height);
      }),
    );
  });
});

describe("telling sizes", () => {
  let told: SlotSize[][];
  let answer: () => Promise<unknown>;
  let teller: SizeTeller;
  beforeEach(() => {
    vi.useFakeTimers();
    told = [];
    answer = async () => ({});
    teller = new SizeTeller((list) => {
      told.push(list);
      return answer();
    });
  });
  afterEach(() => {
    teller.stop();
    vi.useRealTimers();
  });
  const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

  it("waits for a connection, then tells all that is shown at once", async () => {
    teller.show(sizes({ a: 360, b: 180 }));
    await pass(10_000);
    expect(told).toEqual([]);
    teller.begin();
    await pass(GROW_MS);
    expect(told).toEqual([sizes({ a: 360, b: 180 })]);
  });

  it("tells only what changed, and everything after a reconnect", async () => {
    teller.begin();
    teller.show(sizes({ a: 360, b: 180 }));
    await pass(GROW_MS);
    teller.show(sizes({ a: 360, b: 0 }));
    await pass(SHRINK_MS);
    teller.begin();
    await pass(SHRINK_MS);
    expect(told).toEqual([sizes({ a: 360, b: 180 }), sizes({ b: 0 }), sizes({ a: 360 }), sizes({ b: 0 })]);
  });

  it("lets a node be that knows no sizes", async () => {
    answer = async () => Promise.reject(new Refused({ code: "bad_message", retry: "never" }));
    teller.begin();
    teller.show(sizes({ a: 360 }));
    await pass(60_000);
    expect(told).toHaveLength(1);
  });

  it("tells a busy node again, not too soon", async () => {
    answer = async () => Promise.reject(new Refused({ code: "rate_limited", retry: "later" }));
    teller.begin();
    teller.show(sizes({ a: 360 }));
    await pass(GROW_MS + 4_900);
    expect(told).toHaveLength(1);
    answer = async () => ({});
    await pass(60_000);
    expect(told).toEqual([sizes({ a: 360 }), sizes({ a: 360 })]);
  });

  it("is silent once stopped", async () => {
    teller.begin();
    teller.show(sizes({ a: 360 }));
    teller.stop();
    await pass(60_000);
    expect(told).toEqual([]);
  });
});
