/** Which people the table shows, in which order. Pure. */
import type { PersonAttendance } from "../../protocol/api";
import type { AttendanceStatus } from "../../protocol/types";

export type Column = "name" | "status" | "connected" | "delivered" | "answered" | "hours";
export interface Order {
  by: Column;
  up: boolean;
}

/** What needs attention comes first. */
const URGENCY: Record<AttendanceStatus, number> = { absent: 0, late: 1, left_early: 2, excused: 3, present: 4 };

function value(person: PersonAttendance, by: Column): number {
  switch (by) {
    case "status":
      return URGENCY[person.status];
    case "connected":
      return person.connected_ms;
    case "delivered":
      return person.delivered_ms;
    case "answered":
      return person.checks_asked > 0 ? person.checks_answered / person.checks_asked : 2;
    case "hours":
      return person.hours;
    default:
      return 0;
  }
}

/** Names that more than one person has. */
export function namesakes(people: readonly PersonAttendance[]): ReadonlySet<string> {
  const seen = new Set<string>();
  const twice = new Set<string>();
  for (const { name } of people) (seen.has(name) ? twice : seen).add(name);
  return twice;
}

export function rowsOf(
  people: readonly PersonAttendance[],
  wanted: { state: AttendanceStatus | "all"; query: string; order: Order; language: string },
): PersonAttendance[] {
  const query = wanted.query.trim().toLocaleLowerCase();
  const names = new Intl.Collator(wanted.language, { numeric: true });
  const way = wanted.order.up ? 1 : -1;
  return people
    .filter((each) => wanted.state === "all" || each.status === wanted.state)
    .filter((each) => query === "" || [each.name, each.subject ?? ""].some((text) => text.toLocaleLowerCase().includes(query)))
    .sort((a, b) => {
      const first = value(a, wanted.order.by) - value(b, wanted.order.by);
      return way * first || (wanted.order.by === "name" ? way : 1) * names.compare(a.name, b.name);
    });
}
