import { expect, it } from "vitest";
import { fade, hear, NO_SIGNALS } from "../../src/state/live";

it("reactions rise as bursts with numbers of their own, the oldest leaving first", () => {
  let live = NO_SIGNALS;
  for (let i = 0; i < 20; i++) live = hear(live, { type: "reactions", counts: { clap: i + 1 } });
  expect(live.bursts).toHaveLength(12);
  expect(live.bursts.at(-1)).toMatchObject({ kind: "clap", count: 20 });
  expect(new Set(live.bursts.map((each) => each.id)).size).toBe(12);
  expect(fade(live, live.bursts[3]?.id ?? 0).bursts).toHaveLength(8);
});

it("reactions nobody drew and counts that are none are passed over", () => {
  const counts = { unheard_of: 3, constructor: 2, toString: 1, heart: 0, laugh: "many", yes: 2, ["__proto__"]: 9 };
  const live = hear(NO_SIGNALS, { type: "reactions", counts: counts as never });
  expect(live.bursts).toEqual([{ id: 1, kind: "yes", count: 2 }]);
  expect(hear(live, { type: "reactions", counts: { other: 1 } as never })).toBe(live);
});

it("the same speakers in the same order change nothing, so that nothing is drawn again", () => {
  const live = hear(NO_SIGNALS, { type: "speakers", speakers: [{ participant: "a", level: 9 }] });
  expect(hear(live, { type: "speakers", speakers: [{ participant: "a", level: 40 }] })).toBe(live);
});

it("counts, quality and typing are the newest told", () => {
  let live = hear(NO_SIGNALS, { type: "present", present: 4, waiting: 2 });
  live = hear(live, { type: "present", present: 5 });
  live = hear(live, { type: "quality", participant: "a", score: 3, rtt: 20, loss: 0 });
  live = hear(live, { type: "typing", participants: ["b"] });
  expect(live).toMatchObject({ present: 5, waiting: null, typing: ["b"], quality: { a: { score: 3 } } });
});
