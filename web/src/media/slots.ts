/** Which receiving m-line shows whom. Pure: offers give each mid its use, `slots` signals say who is in it. */
import type { SlotChange, SlotOffer, SlotUse, Source } from "../protocol/types";

export interface Slot {
  mid: string;
  kind: "audio" | "video";
  use: SlotUse;
  participant: string | null;
  source: Source | null;
}

export type Slots = readonly Slot[];

/** A new offer: known mids keep their occupant, mids no longer offered go. */
export function offered(slots: Slots, offer: readonly SlotOffer[]): Slots {
  return offer.map((each) => {
    const known = slots.find((slot) => slot.mid === each.mid);
    return { ...each, participant: known?.participant ?? null, source: known?.source ?? null };
  });
}

/** A `slots` signal; not partial means that video slots it does not name are empty. */
export function assigned(slots: Slots, changes: readonly SlotChange[], partial: boolean): Slots {
  return slots.map((slot) => {
    const change = changes.find((each) => each.mid === slot.mid);
    if (change) return { ...slot, participant: change.participant, source: change.participant === null ? null : (change.source ?? null) };
    return partial || slot.kind === "audio" ? slot : { ...slot, participant: null, source: null };
  });
}

/** The mid that shows this person's picture: a large slot before a tile. */
export function midOf(slots: Slots, participant: string, source: Source): string | null {
  const found = slots.filter((slot) => slot.participant === participant && slot.source === source);
  const best = found.find((slot) => slot.use === "main" || slot.use === "screen") ?? found[0];
  return best?.mid ?? null;
}
