import { describe, expect, it } from "vitest";
import { assigned, midOf, offered, type Slots } from "../../src/media/slots";
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
    expect(midOf(slots, "a", "camera")).toBe("2");
  });

  it("do not take a screen for a camera", () => {
    const slots = assigned(offered([], OFFER), [{ mid: "1", participant: "a", source: "screen" }], false);
    expect(midOf(slots, "a", "camera")).toBeNull();
    expect(midOf(slots, "a", "screen")).toBe("1");
  });
});
