/** What the report says in several places: names of states and rules, minutes, marks; and where its sheets are. */
import type { TFunction } from "i18next";
import { attendancePath, type PersonAttendance, type Policy, PREFIX, type Report } from "../../protocol/api";
import type { AttendanceStatus } from "../../protocol/types";
import type { IconName } from "../parts/Icon";
import { timeOfDay } from "../parts/time";

export const STATES: readonly AttendanceStatus[] = ["present", "late", "left_early", "absent", "excused"];

export const stateName = (t: TFunction, state: AttendanceStatus): string => t(`report.state_${state}`);

export const STATE_LOOK: Record<AttendanceStatus, { tone: string; icon: IconName }> = {
  present: { tone: "", icon: "ok" },
  late: { tone: "signal", icon: "time" },
  left_early: { tone: "signal", icon: "exit" },
  absent: { tone: "bad", icon: "cross" },
  excused: { tone: "accent", icon: "info" },
};

export const minutesOf = (ms: number): number => Math.floor(ms / 60_000);

const NAMES: Record<string, "report.policy_standard" | "report.policy_continuing"> = {
  standard: "report.policy_standard",
  continuing: "report.policy_continuing",
};

export function policyName(t: TFunction, policy: Policy): string {
  const name = NAMES[policy.id];
  return t("report.policyName", { name: name ? t(name) : policy.id, version: policy.version });
}

/** The line beside a person: what was decided, when they came and went, what was bridged. */
export function noteOf(t: TFunction, person: PersonAttendance, over: boolean, language: string): string {
  if (person.override) {
    return t("report.overriddenBy", {
      name: person.override.by,
      reason: person.override.reason,
      status: stateName(t, person.computed),
    });
  }
  const { first_at: first, last_at: last } = person;
  if (first === null || last === null) return t("report.neverIn");
  const times = { first: timeOfDay(first, language), last: timeOfDay(last, language) };
  const parts: string[] = [];
  if (person.computed !== "present") parts.push(over ? t("report.firstLast", times) : t("report.stillHere", times));
  if (person.bridged_ms >= 60_000) parts.push(t("report.bridgedTotal", { count: minutesOf(person.bridged_ms) }));
  if (person.segments.some((each) => each.recovered)) parts.push(t("report.recovered"));
  return parts.join(" · ");
}

/** Address of a sheet whose times are those of this machine's zone on the day of the class: summer time may have changed since. */
export function sheetPath(
  { session, started_at, now }: Pick<Report, "session" | "started_at" | "now">,
  ending: "csv" | "xlsx",
  asked: { lang: string; seat: string | null; policy: string | null },
): string {
  const offset = -new Date(started_at ?? now).getTimezoneOffset();
  return PREFIX + attendancePath(session, `.${ending}`, { offset, ...asked });
}
