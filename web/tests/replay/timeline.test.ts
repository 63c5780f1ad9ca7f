import { describe, expect, it } from "vitest";
import { Refused } from "../../src/protocol/refused";
import type { Change, TimelineState } from "../../src/protocol/replay";
import { parseChapters } from "../../src/state/replay/chapters";
import { Timeline } from "../../src/state/replay/timeline";
import { WatchedLog } from "../../src/state/replay/watched";

const EMPTY: TimelineState = { scene: { type: "scene", phase: "live" }, people: {}, polls: {}, chat: [] };
const said = (at: number): Change => ({
  at,
  what: { type: "message", id: `m${at}`, by: "a", name: "A", role: "trainee", text: `at ${at}` },
});
const CHUNKS: Change[][] = [
  [said(1_000), said(2_000)],
  [said(31_000)],
  [],
  [],
  [said(120_000), { at: 125_000, what: { type: "gone", id: "x" } }],
];
const AT_120: TimelineState = { ...EMPTY, chat: CHUNKS.slice(0, 4).flat() as TimelineState["chat"] };
const NAMES = { chunks: ["t0", "t1", "t2", "t3", "t4"], snapshots: ["s0", "s1"] };

function timeline(broken: string[] = [], away = 0) {
  const asked: string[] = [];
  const rests: number[] = [];
  const made = new Timeline(
    NAMES,
    async (name) => {
      asked.push(name);
      if (asked.length <= away) throw new Refused({ code: "offline", retry: "later" });
      if (broken.includes(name)) throw new Error("gone");
      return name.startsWith("s") ? [EMPTY, AT_120][Number(name[1])] : CHUNKS[Number(name[1])];
    },
    () => undefined,
    async (ms) => {
      rests.push(ms);
    },
  );
  return { made, asked, rests };
}
const settle = () => new Promise((done) => setTimeout(done, 5));

describe("the timeline", () => {
  it("asks first for what the moment needs, then for the rest", async () => {
    const { made, asked } = timeline();
    made.want(125_000);
    await settle();
    expect(asked.slice(0, 2)).toEqual(["s1", "t4"]);
    expect(made.complete()).toBe(true);
    expect(made.messages().map(({ at }) => at)).toEqual([1_000, 2_000, 31_000, 120_000]);
  });

  it("shows the same however one comes to a moment", async () => {
    const walked = timeline().made;
    walked.want(0);
    await settle();
    const jumped = timeline().made;
    jumped.want(121_000);
    await settle();
    let state: TimelineState | null = null;
    for (let at = 0; at <= 121_000; at += 250) state = walked.at(at);
    expect(state).toEqual(jumped.at(121_000));
    expect(walked.at(1_500)?.chat.map(({ at }) => at)).toEqual([1_000]);
    expect(walked.at(999)?.chat).toEqual([]);
  });

  it("answers with the same value while nothing changes", async () => {
    const { made } = timeline();
    made.want(0);
    await settle();
    expect(made.at(1_200)).toBe(made.at(1_900));
  });

  it("does without a file that cannot be had", async () => {
    const { made, asked } = timeline(["t4"]);
    made.want(0);
    await settle();
    expect(made.at(125_000)).toBeNull();
    expect(made.at(32_000)?.chat).toHaveLength(3);
    expect(asked.filter((name) => name === "t4")).toHaveLength(3);
  });

  it("is whole once the network is back, however long it was away, and asks ever less often until then", async () => {
    const { made, rests } = timeline([], 40);
    made.want(0);
    await settle();
    expect(made.complete()).toBe(true);
    expect(made.at(32_000)?.chat).toHaveLength(3);
    expect(rests.slice(0, 6)).toEqual([1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
    expect(rests).toHaveLength(40);
  });

  it("asks first for what is wanted now when the network is back, not for what was wanted before", async () => {
    const waiting: (() => void)[] = [];
    const asked: string[] = [];
    const get = async (name: string) => {
      asked.push(name);
      throw new Refused({ code: "offline", retry: "later" });
    };
    const made = new Timeline(
      NAMES,
      get,
      () => undefined,
      () => new Promise((done) => waiting.push(done)),
    );
    made.want(0);
    await settle();
    made.want(125_000);
    expect(asked).toEqual(["s0", "t0", "t1"]);
    for (const go of waiting.splice(0)) go();
    await settle();
    expect(asked.slice(3, 5)).toEqual(["s1", "t4"]);
  });
});

describe("chapters", () => {
  it("are read, and what is none is passed over", () => {
    const text =
      "WEBVTT\n\nstart-0\n00:00:00.000 --> 00:00:12.500\n课 &lt;1&gt; &amp;\n\nNOTE x\n\npoll-1\n00:00:12.500 --> 01:00:00.000\n-\n";
    expect(parseChapters(text)).toEqual([
      { from_ms: 0, to_ms: 12_500, kind: "start", label: "课 <1> &" },
      { from_ms: 12_500, to_ms: 3_600_000, kind: "poll", label: "" },
    ]);
    expect(parseChapters("<html>")).toEqual([]);
  });
});

describe("what was watched", () => {
  it("ends a stretch at a pause, a jump and another speed", () => {
    const log = new WatchedLog();
    for (let at = 0; at <= 3_000; at += 100) log.see(at, 1, true);
    log.see(3_000, 1, false);
    for (let at = 20_000; at <= 21_000; at += 100) log.see(at, 1, true);
    for (let at = 21_000; at <= 23_000; at += 200) log.see(at, 2, true);
    for (let at = 5_000; at <= 6_000; at += 100) log.see(at, 1, true);
    log.see(6_000, 1, false);
    expect(log.take()).toEqual([
      { from_ms: 0, to_ms: 3_000, rate: 1 },
      { from_ms: 20_000, to_ms: 21_000, rate: 1 },
      { from_ms: 21_000, to_ms: 23_000, rate: 2 },
      { from_ms: 5_000, to_ms: 6_000, rate: 1 },
    ]);
    expect(log.take()).toEqual([]);
  });

  it("cuts a stretch that goes on without a hole", () => {
    const log = new WatchedLog();
    log.see(0, 1, true);
    log.see(900, 1, true);
    expect(log.take()).toEqual([{ from_ms: 0, to_ms: 900, rate: 1 }]);
    log.see(1_800, 1, true);
    expect(log.take()).toEqual([{ from_ms: 900, to_ms: 1_800, rate: 1 }]);
  });
});
