/** The people panel as a flat list of rows, so that only those on screen are drawn. Pure. */
import type { ParticipantView, RoomView } from "../../../protocol/types";
import { isStaffRole } from "../../../state/select";

export type Group = "staff" | "stage" | "audience" | "inspectors";
export type Row = { kind: "title"; group: Group; count: number } | { kind: "person"; person: ParticipantView; hand: number };

const GROUPS: readonly Group[] = ["staff", "stage", "audience", "inspectors"];

function groupOf(person: ParticipantView): Group {
  if (isStaffRole(person.role)) return "staff";
  if (person.role === "inspector") return "inspectors";
  return person.on_stage ? "stage" : "audience";
}

/** Case, width and accents do not matter when looking for a name. */
export const fold = (text: string): string => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase().trim();

/** Hands first in their order, then the present, then the others; names in between. `more`: people known only from the paged list. */
export function rowsOf(view: RoomView, query: string, more: readonly ParticipantView[], language: string): Row[] {
  const wanted = fold(query);
  const known = new Set(view.participants.map((each) => each.id));
  const all = [...view.participants, ...more.filter((each) => !known.has(each.id))].filter(
    (each) => each.seat === "admitted" && (wanted === "" || fold(each.name).includes(wanted)),
  );
  const place = new Map(view.hands.map((id, i) => [id, i + 1]));
  const collator = new Intl.Collator(language);
  const order = (a: ParticipantView, b: ParticipantView) =>
    (place.get(a.id) ?? Number.MAX_SAFE_INTEGER) - (place.get(b.id) ?? Number.MAX_SAFE_INTEGER) ||
    Number(b.role === "trainer") - Number(a.role === "trainer") ||
    Number(b.present) - Number(a.present) ||
    collator.compare(a.name, b.name);
  return GROUPS.flatMap((group): Row[] => {
    const people = all.filter((each) => groupOf(each) === group).sort(order);
    if (people.length === 0) return [];
    return [
      { kind: "title", group, count: people.length },
      ...people.map((person): Row => ({ kind: "person", person, hand: place.get(person.id) ?? 0 })),
    ];
  });
}
