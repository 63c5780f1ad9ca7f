import { describe, expect, it } from "vitest";
import { assigned, layered, offered, PAUSED, type Slots, sizesOf, slotOf } from "../../src/media/slots";
import type { SlotOffer } from "../../src/protocol/types";

const OFFER: SlotOffer[] = [
  { mid: "0", kind: "audio", use: "audio" },
  { mid: "1", kind: "video", use: "screen" },
  { mid: "2", kind: "video", use: "main" },
  { mid: "3", kind: "video", use: "tile" },
  { mid: "4", kind: "video", use: "tile" },
];
const who = (slots: Slots) => Object.fromEntries(slots.map((slot) => [slot.mid, slot.participant]));

describe("slots", () => {
  it("are empty when offered", () => {
    expect(who(offered([], OFFER))).toEqual({ 0: null, 1: null, 2: null, 3: null, 4: null });
  });

  it("show whom a full signal names, and nobody where it names nobody", () => {
    const before = assigned(offered([], OFFER), [{ mid: "3", participant: "a", source: "camera" }], false);
    const after = assigned(before, [{ mid: "2", participant: "b", source: "camera" }], false);
    expect(who(after)).toMatchObject({ 2: "b", 3: null });
  });

  it("keep what a partial signal does not name", () => {
    const before = assigned(offered([], OFFER), [{ mid: "3", participant: "a", source: "camera" }], false);
    const after = assigned(before, [{ mid: "4", participant: "b", source: "camera" }], true);
    expect(who(after)).toMatchObject({ 3: "a", 4: "b" });
  });

  it("are emptied by a null participant", () => {
    const before = assigned(offered([], OFFER), [{ mid: "3", participant: "a", source: "camera" }], false);
    expect(assigned(before, [{ mid: "3", participant: null }], true)[3]).toMatchObject({ participant: null, source: null });
  });

  it("pass over mids that were never offered", () => {
    expect(who(assigned(offered([], OFFER), [{ mid: "99", participant: "a", source: "camera" }], false))).toEqual(who(offered([], OFFER)));
  });

  it("keep their occupants over a renegotiation", () => {
    const before = assigned(offered([], OFFER), [{ mid: "3", participant: "a", source: "camera" }], false);
    expect(who(offered(before, OFFER.slice(2)))).toEqual({ 2: null, 3: "a", 4: null });
  });

  it("prefer the large picture of somebody who is in two", () => {
    const slots = assigned(
      offered([], OFFER),
      [
        { mid: "3", participant: "a", source: "camera" },
        { mid: "2", participant: "a", source: "camera" },
      ],
      false,
    );
    expect(slotOf(slots, "a", "camera")?.mid).toBe("2");
  });

  it("do not take a screen for a camera", () => {
    const slots = assigned(offered([], OFFER), [{ mid: "1", participant: "a", source: "screen" }], false);
    expect(slotOf(slots, "a", "camera")).toBeNull();
    expect(slotOf(slots, "a", "screen")?.mid).toBe("1");
  });

  it("are paused and go on as they are told, each by itself", () => {
    const before = assigned(offered([], OFFER), [{ mid: "3", participant: "a", source: "camera" }], false);
    const paused = layered(before, [{ mid: "3", layer: PAUSED }]);
    expect(paused[3]).toMatchObject({ participant: "a", layer: PAUSED });
    expect(paused[2]).toBe(before[2]);
    expect(layered(paused, [{ mid: "3", layer: 1 }])[3]?.layer).toBe(1);
  });

  it("forget what was told of a picture when another comes into them, and keep it while the same stays", () => {
    const paused = layered(assigned(offered([], OFFER), [{ mid: "3", participant: "a", source: "camera" }], false), [
      { mid: "3", layer: PAUSED },
    ]);
    expect(assigned(paused, [{ mid: "3", participant: "b", source: "camera" }], false)[3]).toMatchObject({ participant: "b", layer: null });
    expect(assigned(paused, [{ mid: "3", participant: "a", source: "camera" }], false)[3]).toMatchObject({
      participant: "a",
      layer: PAUSED,
    });
  });

  it("forget the layer over a renegotiation: the other side starts anew", () => {
    const paused = layered(assigned(offered([], OFFER), [{ mid: "3", participant: "a", source: "camera" }], false), [
      { mid: "3", layer: PAUSED },
    ]);
    expect(offered(paused, OFFER)[3]).toMatchObject({ participant: "a", layer: null });
  });

  it("of a shared screen ask for more than is seen, so that small print can be read", () => {
    const slots = assigned(offered([], OFFER), [{ mid: "1", participant: "a", source: "screen" }], false);
    expect(sizesOf(slots, () => 540)).toEqual([{ mid: "1", height: 1080 }]);
    expect(sizesOf(slots, () => 0)).toEqual([{ mid: "1", height: 0 }]);
  });

  it("have a size where somebody's picture is, and none where there is nothing to shrink", () => {
    const slots = assigned(
      offered([], OFFER),
      [
        { mid: "0", participant: "a", source: "microphone" },
        { mid: "3", participant: "a", source: "camera" },
        { mid: "4", participant: "b", source: "camera" },
      ],
      false,
    );
    expect(sizesOf(slots, (mid) => (mid === "4" ? 180 : 0))).toEqual([
      { mid: "3", height: 0 },
      { mid: "4", height: 180 },
    ]);
  });
});
