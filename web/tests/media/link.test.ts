import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { LinkKeeper } from "../../src/media/link";
import { deferred } from "./deferred";

/** A peer connection whose state the test sets. */
class FakePeer extends EventTarget {
  connectionState: RTCPeerConnectionState = "new";
  become(state: RTCPeerConnectionState) {
    this.connectionState = state;
    this.dispatchEvent(new Event("connectionstatechange"));
  }
}

let restart: ReturnType<typeof vi.fn<() => Promise<void>>>;
let rebuild: ReturnType<typeof vi.fn<() => Promise<void>>>;
let told: string[];
let keeper: LinkKeeper;
let peer: FakePeer;

beforeEach(() => {
  vi.useFakeTimers();
  restart = vi.fn(async () => undefined);
  rebuild = vi.fn(async () => undefined);
  told = [];
  keeper = new LinkKeeper({ restart, rebuild, tell: (link) => told.push(link) });
  peer = new FakePeer();
  keeper.follow(peer as unknown as RTCPeerConnection);
});
afterEach(() => {
  keeper.stop();
  vi.useRealTimers();
});

describe("a media link", () => {
  it("that fails is restarted at once", async () => {
    peer.become("connected");
    peer.become("failed");
    await vi.advanceTimersByTimeAsync(0);
    expect(restart).toHaveBeenCalledTimes(1);
  });

  it("that stutters gets a moment to come back by itself", async () => {
    peer.become("connected");
    peer.become("disconnected");
    await vi.advanceTimersByTimeAsync(1_000);
    peer.become("connected");
    await vi.advanceTimersByTimeAsync(20_000);
    expect(restart).not.toHaveBeenCalled();
  });

  it("is built anew when restarts do not help", async () => {
    peer.become("failed");
    await vi.advanceTimersByTimeAsync(0);
    peer.become("failed");
    await vi.advanceTimersByTimeAsync(1_000);
    peer.become("failed");
    await vi.advanceTimersByTimeAsync(2_000);
    expect(restart).toHaveBeenCalledTimes(2);
    expect(rebuild).toHaveBeenCalledTimes(1);
    expect(told).toContain("failed");
  });

  it("that the node has closed is built anew without a restart", async () => {
    keeper.broken();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(restart).not.toHaveBeenCalled();
    expect(rebuild).toHaveBeenCalledTimes(1);
  });

  it("tries again when the node refuses", async () => {
    rebuild.mockRejectedValueOnce(new Error("media_unavailable"));
    keeper.broken();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(rebuild.mock.calls.length).toBeGreaterThan(1);
  });

  it.each(["granted", "refused"])("whose path comes back while a restart is asked for is left alone, the restart %s", async (answer) => {
    const asked = deferred();
    restart.mockReturnValueOnce(asked.promise);
    peer.become("connected");
    peer.become("failed");
    await vi.advanceTimersByTimeAsync(0);
    peer.become("connected");
    if (answer === "granted") asked.resolve();
    else asked.reject(new Error("media_unavailable"));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(restart).toHaveBeenCalledTimes(1);
    expect(rebuild).not.toHaveBeenCalled();
    expect(told.at(-1)).toBe("connected");
  });

  it.each(["disconnected", "failed", "connecting"] as const)("that a restart leaves %s is looked at again later", async (state) => {
    peer.become("failed");
    await vi.advanceTimersByTimeAsync(0);
    // Either nothing is told any more, or no more than this.
    if (state === "failed") peer.connectionState = state;
    else peer.become(state);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(restart).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(6_000);
    expect(restart).toHaveBeenCalledTimes(2);
    await vi.advanceTimersByTimeAsync(8_000);
    expect(rebuild).toHaveBeenCalledTimes(1);
  });

  it("that breaks off again while a restart is asked for is looked at again later", async () => {
    const asked = deferred();
    restart.mockReturnValueOnce(asked.promise);
    peer.become("failed");
    await vi.advanceTimersByTimeAsync(0);
    peer.become("connected");
    peer.become("disconnected");
    await vi.advanceTimersByTimeAsync(5_000);
    asked.resolve();
    await vi.advanceTimersByTimeAsync(8_000);
    expect(restart).toHaveBeenCalledTimes(2);
  });

  it("tells nothing more once stopped, whatever was asked for", async () => {
    const asked = deferred();
    rebuild.mockReturnValueOnce(asked.promise);
    keeper.broken();
    await vi.advanceTimersByTimeAsync(2_000);
    keeper.stop();
    told = [];
    asked.reject(new Error("offline"));
    await vi.advanceTimersByTimeAsync(60_000);
    keeper.broken();
    expect(told).toEqual([]);
    expect(rebuild).toHaveBeenCalledTimes(1);
  });

  it("is left alone once stopped", async () => {
    peer.become("failed");
    keeper.stop();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(restart).not.toHaveBeenCalled();
  });
});
