/** Which receiving m-line shows whom. Pure: offers give each mid its use, `slots` signals say who is in it, `layers` signals how much of it. */
import type { SlotChange, SlotLayer, SlotOffer, SlotSize, SlotUse, Source } from "../protocol/types";
import { stepped } from "./sizes";

export interface Slot {
  mid: string;
  kind: "audio" | "video";
  use: SlotUse;
  participant: string | null;
  source: Source | null;
  /** Which simulcast layer is sent, 0 = lowest; PAUSED = none fits the connection; null = not told. */
  layer: number | null;
}

export const PAUSED = -1;
export type Slots = readonly Slot[];

/** A new offer: known mids keep their occupant, mids no longer offered go. */
export function offered(slots: Slots, offer: readonly SlotOffer[]): Slots {
  return offer.map((each) => {
    const known = slots.find((slot) => slot.mid === each.mid);
    return { ...each, participant: known?.participant ?? null, source: known?.source ?? null, layer: null };
  });
}

/** A `slots` signal; not partial means that video slots it does not name are empty. */
export function assigned(slots: Slots, changes: readonly SlotChange[], partial: boolean): Slots {
  return slots.map((slot) => {
    const change = changes.find((each) => each.mid === slot.mid);
    if (!change && (partial || slot.kind === "audio")) return slot;
    const participant = change?.participant ?? null;
    const source = participant === null ? null : (change?.source ?? null);
    // What was told was of the picture before.
    const layer = participant === slot.participant && source === slot.source ? slot.layer : null;
    return { ...slot, participant, source, layer };
  });
}

/** A `layers` signal, of the pictures that are in the slots now. */
export function layered(slots: Slots, changes: readonly SlotLayer[]): Slots {
  return slots.map((slot) => {
    const change = changes.find((each) => each.mid === slot.mid);
    return change && change.layer !== slot.layer ? { ...slot, layer: change.layer } : slot;
  });
}

/** A shared screen is read rather than looked at: small print survives being made smaller here, not before. */
const READING = 2;

/** How tall every picture that somebody fills is to be sent, from how many pixels tall it is seen here. */
export function sizesOf(slots: Slots, shown: (mid: string) => number): SlotSize[] {
  return slots
    .filter((slot) => slot.kind === "video" && slot.participant !== null)
    .map(({ mid, source }) => ({ mid, height: stepped(shown(mid) * (source === "screen" ? READING : 1)) }));
}

/** The slot that shows this person's picture: a large one before a tile. */
export function slotOf(slots: Slots, participant: string, source: Source): Slot | null {
  const found = slots.filter((slot) => slot.participant === participant && slot.source === source);
  const best = found.find((slot) => slot.use === "main" || slot.use === "screen") ?? found[0];
  return best ?? null;
}
