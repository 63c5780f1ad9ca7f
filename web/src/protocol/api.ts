/** The HTTP calls of PROTOCOL.md section 1. Every failure is a Refused; `offline` when the node could not be reached. */
import { Refused } from "./refused";
import type { RecordingInfo, ReplayInfo, Stretch } from "./replay";
import type { AttendancePolicy, AttendanceStatus, Phase, Problem, Profile, ReplayAccess, Role } from "./types";

export interface SeatInfo {
  seat: string;
  session: string;
  title: string;
  profile: Profile;
  phase: Phase;
  name: string;
  role: Role;
  participant?: string;
  recorded?: boolean;
}

export interface DemoInfo {
  session: string;
  title: string;
  links: Record<string, string>;
}

/** What a policy of attendance says; times in seconds, share 0 to 1. */
export type Rules = Pick<AttendancePolicy, "late_s" | "early_s" | "absent_below" | "grace_s" | "credits">;

export interface Policy {
  id: string;
  version: number;
}

export interface Segment {
  start: number;
  end: number;
  bridged: boolean;
  recovered: boolean;
}

/** One person's attendance; times in ms, `computed` by the rules, the rest as it counts. */
export interface PersonAttendance {
  participant: string;
  name: string;
  /** The account outside, which tells namesakes apart; null in the own record. */
  subject: string | null;
  /** Took a seat; is on the roster. */
  came: boolean;
  expected: boolean;
  connected_ms: number;
  delivered_ms: number;
  bridged_ms: number;
  ratio: number;
  first_at: number | null;
  last_at: number | null;
  segments: Segment[];
  checks_asked: number;
  checks_answered: number;
  computed: AttendanceStatus;
  status: AttendanceStatus;
  minutes: number;
  hours: number;
  override: { status: AttendanceStatus; minutes: number | null; reason: string; by: string; at: number } | null;
}

export interface Report {
  session: string;
  title: string;
  now: number;
  started_at: number | null;
  ended_at: number | null;
  countable_ms: number;
  policy: Policy;
  stamped: Policy;
  policies: Policy[];
  /** The whole of `policy`. */
  rules: Rules;
  replay: ReplayAccess;
  staff: string[];
  idle: [number, number][];
  /** [at, connected, with media] */
  curve: [number, number, number][];
  checks: { at: number; automatic: boolean; asked: number; answered: number }[];
  /** How many are on the roster; 0 = there is none. */
  expected: number;
  people: PersonAttendance[];
  /** Why nothing of the class may be deleted. */
  hold?: string | null;
}

/** A legal hold: of a class, or of a person (the other is empty). */
export interface Hold {
  number: number;
  session: string;
  issuer: string;
  subject: string;
  reason: string;
  by: string;
  at: number;
}

export interface OwnAttendance {
  now: number;
  started_at: number | null;
  ended_at: number | null;
  countable_ms: number;
  policy: Policy;
  attendance: PersonAttendance | null;
}

export interface Decision {
  status: AttendanceStatus | null;
  minutes: number | null;
  reason: string;
  op: string;
}

/** Why a class keeps what it has of a person. */
export type ErasureRefusal = "class_not_over" | "held" | "ledger_broken" | "recordings_stay";

/** What erasing a person would do to one class: rows by kind. */
export interface Foreseen {
  session: string;
  title: string;
  code: ErasureRefusal | null;
  kinds: Record<string, number>;
  recordings: number;
}

/** What of a receipt is shown; the signed note says more. */
export interface ErasureReceipt {
  id: string;
  classes: { session: string; outcome: "erased" | "refused"; code: ErasureRefusal | null; records: number }[];
  statements: { held: Record<string, string[]>; perhaps: Record<string, string[]> };
  search: { rows: number; files: number; log_lines: number; mentions: number; namesakes: number; kept: number };
}

export interface Erasure {
  state: "foreseen" | "working" | "done";
  id: string | null;
  foreseen: Foreseen[] | null;
  receipt: ErasureReceipt | null;
  note: string | null;
  already: boolean;
}

/** Address of something about a class's attendance; `seat` picks one of several seats of this browser. */
export function attendancePath(session: string, what: string, query: Record<string, string | number | null>): string {
  const asked = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== null) asked.set(name, String(value));
  const tail = asked.size > 0 ? `?${asked}` : "";
  return `/classes/${encodeURIComponent(session)}/attendance${what}${tail}`;
}

export const PREFIX = "/api/v1";
const TIMEOUT_MS = 12_000;

async function call<T>(method: string, path: string, body?: unknown, keepalive = false): Promise<T> {
  let response: Response;
  try {
    response = await fetch(PREFIX + path, {
      method,
      credentials: "same-origin",
      keepalive,
      signal: AbortSignal.timeout(TIMEOUT_MS),
      headers: { accept: "application/json", ...(body === undefined ? {} : { "content-type": "application/json" }) },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Refused({ code: "offline", retry: "later" });
  }
  if (response.status === 204) return undefined as T;
  const data = (await response.json().catch(() => null)) as (T & { error?: Problem }) | null;
  if (!response.ok || data === null)
    throw new Refused(data?.error ?? { code: response.status === 404 ? "not_found" : "internal", retry: "later" });
  return data;
}

const recording = (session: string, id: string) => `/classes/${encodeURIComponent(session)}/recordings/${encodeURIComponent(id)}`;

export const api = {
  takeSeat: (token: string) => call<SeatInfo>("POST", "/seats", { token }),
  seat: (seat: string) => call<SeatInfo>("GET", `/seats/${encodeURIComponent(seat)}`),
  leaveSeat: (seat: string) => call<void>("DELETE", `/seats/${encodeURIComponent(seat)}`),
  invitation: (invite: string, name: string) => call<{ token: string }>("POST", "/invitations", { invite, name }),
  networkCheck: (sdp: string) => call<{ sdp: string }>("POST", "/network-check", { sdp }),
  demo: () => call<DemoInfo>("GET", "/demo"),
  recordings: (session: string) =>
    call<{ title: string; access: ReplayAccess; recordings: RecordingInfo[] }>("GET", `/classes/${encodeURIComponent(session)}/recordings`),
  recording: (session: string, id: string) => call<ReplayInfo>("GET", recording(session, id)),
  watched: (session: string, id: string, op: string, stretches: Stretch[]) =>
    call<void>("POST", `${recording(session, id)}/watched`, { op, stretches }, true),
  shareReplay: (session: string, seat: string | null, access: ReplayAccess) =>
    call<void>("PUT", `/classes/${encodeURIComponent(session)}/replay${seat ? `?seat=${encodeURIComponent(seat)}` : ""}`, { access }),
  operatorLogin: (login: string) => call<void>("POST", "/operator", { login }),
  report: (session: string, seat: string | null, policy: string | null) =>
    call<Report>("GET", attendancePath(session, "", { seat, policy })),
  ownAttendance: (session: string, seat: string | null) => call<OwnAttendance>("GET", attendancePath(session, "/own", { seat })),
  overrideAttendance: (session: string, seat: string | null, participant: string, decision: Decision) =>
    call<void>("POST", attendancePath(session, `/${encodeURIComponent(participant)}/override`, { seat }), decision),
  holds: (before: number | null) =>
    call<{ holds: Hold[]; next: number | null }>("GET", before === null ? "/holds" : `/holds?before=${before}`),
  addHold: (told: { reason: string; session?: string; issuer?: string; subject?: string }) => call<Hold>("POST", "/holds", told),
  liftHold: (number: number) => call<Hold>("POST", `/holds/${number}/lift`, {}),
  foreseeErasure: (issuer: string, subject: string) => call<Erasure>("POST", "/erasures", { issuer, subject, dry_run: true }),
  erase: (issuer: string, subject: string, confirm: string) => call<Erasure>("POST", "/erasures", { issuer, subject, confirm }),
  erasure: (id: string) => call<Erasure>("GET", `/erasures/${encodeURIComponent(id)}`),
  operatorOverview: () => call<Record<string, unknown>>("GET", "/operator/overview"),
};
