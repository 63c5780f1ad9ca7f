import { beforeEach, describe, expect, it } from "vitest";
import { type Auth, Connection, type Status, type Timers, type Wire, type WireHandlers } from "../../src/protocol/connection";
import { codeOf } from "../../src/protocol/refused";
import type { Entry, Problem, Reply, RoomView, Signal, Welcome } from "../../src/protocol/types";

/** A socket told what to do by the test. */
class FakeWire implements Wire {
  auths: Auth[] = [];
  sent: { message: Record<string, unknown>; answer: (reply: Reply) => void }[] = [];
  up = false;
  handlers!: WireHandlers;
  #auth: () => Auth;
  constructor(auth: () => Auth) {
    this.#auth = auth;
  }
  connect() {
    this.auths.push(structuredClone(this.#auth()));
  }
  disconnect() {
    this.up = false;
  }
  send(message: Record<string, unknown>, answer: (reply: Reply) => void) {
    this.sent.push({ message, answer });
  }
  on(handlers: WireHandlers) {
    this.handlers = handlers;
  }
  /** Each connect brings another connection id. */
  welcome(part: Partial<Welcome> = {}) {
    this.up = true;
    this.handlers.welcome({ epoch: "e1", connection: `c${this.auths.length}`, now: 5, ...part });
  }
  lose(problem: Problem | null = null) {
    this.up = false;
    this.handlers.lost(problem);
  }
}

class FakeTimers implements Timers {
  waiting: { at: number; run: () => void }[] = [];
  now = 0;
  after(ms: number, run: () => void) {
    const entry = { at: this.now + ms, run };
    this.waiting.push(entry);
    return () => {
      this.waiting = this.waiting.filter((each) => each !== entry);
    };
  }
  random() {
    return 0.5;
  }
  pass(ms: number) {
    this.now += ms;
    const due = this.waiting.filter((each) => each.at <= this.now);
    this.waiting = this.waiting.filter((each) => each.at > this.now);
    for (const each of due) each.run();
  }
}

const snapshot = (seq: number) => ({ seq }) as RoomView;
const entry = (seq: number): Entry => ({ seq, at: seq, event: { type: "class_started" } });

let wire: FakeWire;
let timers: FakeTimers;
let statuses: [Status, string | null][];
let seen: number[];
let signals: Signal[];
let welcomes: Welcome[];
let connection: Connection;

beforeEach(() => {
  timers = new FakeTimers();
  statuses = [];
  seen = [];
  signals = [];
  welcomes = [];
  connection = new Connection(
    "seat1",
    (auth) => {
      wire = new FakeWire(auth);
      return wire;
    },
    {
      status: (status, problem) => statuses.push([status, problem?.code ?? null]),
      welcome: (message) => welcomes.push(message),
      entries: (entries) => seen.push(...entries.map((each) => each.seq)),
      signals: (list) => signals.push(...list),
    },
    timers,
  );
  connection.start();
});

describe("commands", () => {
  it("wait for the first welcome and go out in order", async () => {
    const first = connection.command({ type: "raise_hand" });
    void connection.command({ type: "lower_hand" });
    expect(wire.sent).toHaveLength(0);
    wire.welcome({ snapshot: snapshot(3) });
    expect(wire.sent.map((each) => each.message.type)).toEqual(["raise_hand", "lower_hand"]);
    wire.sent[0]?.answer({ ref: String(wire.sent[0].message.ref), seq: 4 });
    expect((await first).seq).toBe(4);
    expect(connection.unanswered).toBe(1);
  });

  it("are sent again unchanged after a reconnect, and answered once", async () => {
    wire.welcome({ snapshot: snapshot(3) });
    const answer = connection.command({ type: "post_chat", text: "hello" });
    const before = wire.sent[0];
    wire.lose();
    timers.pass(60_000);
    wire.welcome({ resumed: true });
    const again = wire.sent[1];
    expect(again?.message).toEqual(before?.message);
    again?.answer({ ref: String(again.message.ref), seq: 9 });
    before?.answer({ ref: String(before.message.ref), seq: 9 });
    expect((await answer).seq).toBe(9);
  });

  it("are not sent twice on one connection when the lane changes", () => {
    wire.welcome({ snapshot: snapshot(3) });
    void connection.command({ type: "raise_hand" });
    wire.welcome({ snapshot: snapshot(4) });
    expect(wire.sent).toHaveLength(1);
  });

  it("carry a fresh operation id each, 22 letters safe in a URL", () => {
    wire.welcome({ snapshot: snapshot(0) });
    for (let i = 0; i < 50; i++) void connection.command({ type: "raise_hand" });
    const refs = wire.sent.map((each) => String(each.message.ref));
    expect(new Set(refs).size).toBe(50);
    for (const ref of refs) expect(ref).toMatch(/^[A-Za-z0-9_-]{22}$/);
  });

  it("are refused with the server's code", async () => {
    wire.welcome({ snapshot: snapshot(0) });
    const answer = connection.command({ type: "raise_hand" });
    wire.sent[0]?.answer({ ref: "", error: { code: "hands_off", retry: "later" } });
    await expect(answer).rejects.toMatchObject({ code: "hands_off", retry: "later" });
  });

  it("are bounded: the two hundred and first unanswered one is refused at once", async () => {
    for (let i = 0; i < 200; i++) void connection.command({ type: "raise_hand" });
    await expect(connection.command({ type: "raise_hand" })).rejects.toMatchObject({ code: "too_many" });
  });

  it("left unanswered for long make the connection be taken for lost", () => {
    wire.welcome({ snapshot: snapshot(0) });
    void connection.command({ type: "raise_hand" });
    timers.pass(12_000);
    expect(connection.status).toBe("reconnecting");
    timers.pass(60_000);
    expect(wire.auths).toHaveLength(2);
  });
});

describe("requests", () => {
  it("belong to one connection: lost with it, never sent again", async () => {
    wire.welcome({ snapshot: snapshot(0) });
    const answer = connection.request({ type: "media_subscribe", action: "restart" });
    wire.lose();
    await expect(answer).rejects.toMatchObject({ code: "offline" });
    timers.pass(60_000);
    wire.welcome({ resumed: true });
    expect(wire.sent).toHaveLength(1);
  });

  it("without a connection fail at once", async () => {
    await expect(connection.request({ type: "typing" }).catch(codeOf)).resolves.toBe("offline");
  });

  it("give up waiting after a while", async () => {
    wire.welcome({ snapshot: snapshot(0) });
    const answer = connection.request({ type: "typing" });
    timers.pass(15_000);
    await expect(answer).rejects.toMatchObject({ code: "offline" });
  });
});

describe("events", () => {
  it("are told once and in order, whatever is sent twice", () => {
    wire.welcome({ snapshot: snapshot(3) });
    wire.handlers.events({ after: 3, upto: 5, events: [entry(4), entry(5)] });
    wire.handlers.events({ after: 3, upto: 6, events: [entry(4), entry(5), entry(6)] });
    wire.handlers.events({ after: 4, upto: 5, events: [entry(5)] });
    expect(seen).toEqual([4, 5, 6]);
    expect(connection.seq).toBe(6);
  });

  it("move the number on even when none of them may be seen", () => {
    wire.welcome({ snapshot: snapshot(3) });
    wire.handlers.events({ after: 3, upto: 8, events: [] });
    expect(connection.seq).toBe(8);
  });

  it("with a gap are not applied: the connection resumes from what is known", () => {
    wire.welcome({ snapshot: snapshot(3) });
    wire.handlers.events({ after: 7, upto: 8, events: [entry(8)] });
    expect(seen).toEqual([]);
    timers.pass(60_000);
    expect(wire.auths.at(-1)?.resume).toEqual({ epoch: "e1", seq: 3 });
  });

  it("with a second gap in a row ask for a snapshot instead", () => {
    wire.welcome({ snapshot: snapshot(3) });
    wire.handlers.events({ after: 7, upto: 8, events: [entry(8)] });
    timers.pass(60_000);
    wire.welcome({ resumed: true });
    wire.handlers.events({ after: 7, upto: 8, events: [entry(8)] });
    timers.pass(60_000);
    expect(wire.auths.at(-1)?.resume).toBeUndefined();
  });

  it("start anew from the snapshot of another epoch", () => {
    wire.welcome({ snapshot: snapshot(30) });
    wire.lose();
    timers.pass(60_000);
    wire.welcome({ epoch: "e2", snapshot: snapshot(2) });
    wire.handlers.events({ after: 2, upto: 3, events: [entry(3)] });
    expect(seen).toEqual([3]);
  });
});

describe("the way back", () => {
  it("makes its pauses longer up to a bound and starts small again after success", () => {
    wire.welcome({ snapshot: snapshot(0) });
    const pauses: number[] = [];
    for (let i = 0; i < 18; i++) {
      wire.lose();
      const next = timers.waiting.at(-1);
      pauses.push((next?.at ?? 0) - timers.now);
      timers.pass(60_000);
    }
    expect(pauses).toEqual([400, 500, 625, 781, 977, 1221, 1526, 1907, 2384, 2980, 3725, 4657, 5821, 7276, 9095, 11_369, 12_000, 12_000]);
    wire.welcome({ resumed: true });
    wire.lose();
    expect((timers.waiting.at(-1)?.at ?? 0) - timers.now).toBe(400);
  });

  it("is taken at once when the browser is online again", () => {
    wire.welcome({ snapshot: snapshot(0) });
    wire.lose();
    connection.nudge();
    expect(wire.auths).toHaveLength(2);
    expect(timers.waiting).toHaveLength(0);
  });

  it("keeps the same tab id, so that the server replaces this tab's own connection", () => {
    wire.welcome({ snapshot: snapshot(0) });
    wire.lose();
    timers.pass(60_000);
    expect(wire.auths[1]?.tab).toBe(wire.auths[0]?.tab);
    expect(wire.auths[0]).toMatchObject({ seat: "seat1", view: "full" });
  });

  it("is not taken when the server says never", async () => {
    wire.welcome({ snapshot: snapshot(0) });
    const answer = connection.command({ type: "raise_hand" });
    wire.handlers.bye({ code: "banned", retry: "never" });
    expect(statuses.at(-1)).toEqual(["closed", "banned"]);
    await expect(answer).rejects.toMatchObject({ code: "banned" });
    wire.lose();
    timers.pass(120_000);
    expect(wire.auths).toHaveLength(1);
  });

  it("is not taken without a login", () => {
    wire.lose({ code: "unauthenticated", retry: "now" });
    expect(connection.status).toBe("closed");
  });

  it("is taken after a farewell that says later", () => {
    wire.welcome({ snapshot: snapshot(0) });
    wire.handlers.bye({ code: "draining", retry: "later" });
    wire.lose({ code: "draining", retry: "later" });
    expect(connection.status).toBe("reconnecting");
    timers.pass(60_000);
    expect(wire.auths).toHaveLength(2);
  });

  it("a first attempt that fails is still the first attempt", () => {
    wire.lose();
    expect(statuses.at(-1)?.[0]).toBe("connecting");
  });
});

it("signals pass through as they are", () => {
  wire.welcome({ snapshot: snapshot(0) });
  wire.handlers.signals([{ type: "present", present: 4 }]);
  expect(signals).toEqual([{ type: "present", present: 4 }]);
});

it("a second welcome with a snapshot moves the number and is told", () => {
  wire.welcome({ snapshot: snapshot(3) });
  wire.welcome({ snapshot: snapshot(12) });
  expect(connection.seq).toBe(12);
  expect(welcomes).toHaveLength(2);
});
