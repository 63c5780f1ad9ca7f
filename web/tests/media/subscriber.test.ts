import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Received, type SubscribeCalls, Subscriber } from "../../src/media/subscriber";
import { Refused } from "../../src/protocol/refused";
import type { SlotOffer } from "../../src/protocol/types";
import { deferred } from "./deferred";

/** A peer connection that negotiates at once. */
class FakePeer extends EventTarget {
  connectionState: RTCPeerConnectionState = "new";
  setRemoteDescription = async () => this.#open();
  setLocalDescription = async () => this.#open();
  createAnswer = async () => ({ type: "answer", sdp: "answer" });
  close() {
    this.connectionState = "closed";
  }
  #open() {
    if (this.connectionState === "closed") throw new DOMException("closed", "InvalidStateError");
  }
}

const OFFER: SlotOffer[] = [
  { mid: "0", kind: "audio", use: "audio" },
  { mid: "1", kind: "video", use: "main" },
  { mid: "2", kind: "video", use: "tile" },
  { mid: "3", kind: "video", use: "tile" },
];
const BUSY = new Refused({ code: "rate_limited", retry: "later" });

let calls: { [name in keyof SubscribeCalls]: ReturnType<typeof vi.fn<SubscribeCalls[name]>> };
let told: string[];
let received: Received;
let subscriber: Subscriber;

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("RTCPeerConnection", FakePeer);
  calls = {
    offer: vi.fn(async () => ({ sdp: "offer", slots: OFFER })),
    answer: vi.fn(async () => ({})),
    restart: vi.fn(async () => ({ sdp: "offer" })),
    show: vi.fn(async () => ({})),
    opened: vi.fn(),
  };
  told = [];
  received = { slots: [], streams: {} };
  subscriber = new Subscriber(
    calls,
    2,
    (link) => told.push(link),
    (now) => {
      received = now;
    },
  );
});
afterEach(() => {
  subscriber.close();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const who = () => Object.fromEntries(received.slots.map((slot) => [slot.mid, slot.participant]));
const shown = () => calls.show.mock.calls.map(([participants]) => participants.join());

describe("what is received", () => {
  it("shows who was told before the offer came", async () => {
    const asked = deferred<Awaited<ReturnType<SubscribeCalls["offer"]>>>();
    calls.offer.mockReturnValueOnce(asked.promise);
    subscriber.start();
    subscriber.assign([{ mid: "2", participant: "a", source: "camera" }], false);
    subscriber.assign([{ mid: "3", participant: "b", source: "camera" }], true);
    expect(received.slots).toEqual([]);
    asked.resolve({ sdp: "offer", slots: OFFER });
    await pass(0);
    expect(who()).toEqual({ 0: null, 1: null, 2: "a", 3: "b" });
  });

  it("shows who was told while it is built anew, of which a later offer knows nothing more", async () => {
    subscriber.start();
    await pass(0);
    const asked = deferred<Awaited<ReturnType<SubscribeCalls["offer"]>>>();
    calls.offer.mockReturnValueOnce(asked.promise);
    subscriber.lost();
    await pass(2_000);
    subscriber.assign([{ mid: "9", participant: "a", source: "camera" }], false);
    asked.resolve({ sdp: "offer", slots: [...OFFER, { mid: "9", kind: "video", use: "tile" }] });
    await pass(0);
    expect(who()).toMatchObject({ 2: null, 9: "a" });
    subscriber.assign([{ mid: "2", participant: "b", source: "camera" }], false);
    subscriber.lost();
    await pass(4_000);
    expect(calls.offer).toHaveBeenCalledTimes(3);
    expect(who()).toEqual({ 0: null, 1: null, 2: "b", 3: null });
  });

  it("is nothing once closed, and nothing more is told, whatever was asked for", async () => {
    const asked = deferred<never>();
    calls.answer.mockReturnValueOnce(asked.promise);
    subscriber.start();
    await pass(0);
    subscriber.close();
    asked.reject(new Refused({ code: "offline", retry: "later" }));
    await pass(60_000);
    expect(received.slots).toEqual([]);
    expect(told.at(-1)).toBe("none");
    expect(calls.offer).toHaveBeenCalledTimes(1);
    expect(calls.opened).not.toHaveBeenCalled();
  });
});

describe("a page of the gallery", () => {
  it("chosen before there is a connection is told when there is one", async () => {
    subscriber.show(["a"]);
    subscriber.start();
    expect(shown()).toEqual([]);
    await pass(0);
    expect(shown()).toEqual(["a"]);
    expect(calls.opened).toHaveBeenCalledTimes(1);
  });

  it("is told again when the connection is built anew", async () => {
    subscriber.start();
    await pass(0);
    subscriber.show(["a", "b"]);
    subscriber.lost();
    await pass(2_000);
    expect(calls.offer).toHaveBeenCalledTimes(2);
    expect(shown()).toEqual(["a,b", "a,b"]);
  });

  describe("refused", () => {
    beforeEach(async () => {
      subscriber.start();
      await pass(0);
    });

    it("by a busy node is told again after a second until it is taken", async () => {
      calls.show.mockRejectedValueOnce(BUSY).mockRejectedValueOnce(BUSY);
      subscriber.show(["a"]);
      await pass(999);
      expect(shown()).toEqual(["a"]);
      await pass(1);
      expect(shown()).toEqual(["a", "a"]);
      await pass(60_000);
      expect(shown()).toEqual(["a", "a", "a"]);
    });

    it("by a busy node is not told again when another is shown", async () => {
      calls.show.mockRejectedValueOnce(BUSY);
      subscriber.show(["a"]);
      await pass(500);
      subscriber.show(["b"]);
      await pass(60_000);
      expect(shown()).toEqual(["a", "b"]);
    });

    it("by a busy node is told once over the connection that took the place of this one", async () => {
      subscriber.lost();
      await pass(1_500);
      calls.show.mockRejectedValueOnce(BUSY);
      subscriber.show(["a"]);
      await pass(500);
      expect(calls.offer).toHaveBeenCalledTimes(2);
      await pass(60_000);
      expect(shown()).toEqual(["a", "a"]);
    });

    it("by a busy node is not told again once closed", async () => {
      calls.show.mockRejectedValueOnce(BUSY);
      subscriber.show(["a"]);
      await pass(500);
      subscriber.close();
      await pass(60_000);
      expect(shown()).toEqual(["a"]);
    });

    it.each([
      ["for good", new Refused({ code: "bad_message", retry: "never" })],
      ["by a node that is away", new Refused({ code: "offline", retry: "later" })],
      ["by a fault of this page", new TypeError("fault")],
    ])("%s is not told again", async (_why, refusal) => {
      calls.show.mockRejectedValueOnce(refusal);
      subscriber.show(["a"]);
      await pass(60_000);
      expect(shown()).toEqual(["a"]);
    });
  });
});
