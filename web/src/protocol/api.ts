/** The HTTP calls of PROTOCOL.md section 1. Every failure is a Refused; `offline` when the node could not be reached. */
import { Refused } from "./refused";
import type { RecordingInfo, ReplayInfo, Stretch } from "./replay";
import type { Phase, Problem, Profile, Role } from "./types";

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

const TIMEOUT_MS = 12_000;

async function call<T>(method: string, path: string, body?: unknown, keepalive = false): Promise<T> {
  let response: Response;
  try {
    response = await fetch(`/api/v1${path}`, {
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
    call<{ title: string; recordings: RecordingInfo[] }>("GET", `/classes/${encodeURIComponent(session)}/recordings`),
  recording: (session: string, id: string) => call<ReplayInfo>("GET", recording(session, id)),
  watched: (session: string, id: string, op: string, stretches: Stretch[]) =>
    call<void>("POST", `${recording(session, id)}/watched`, { op, stretches }, true),
  operatorLogin: (login: string) => call<void>("POST", "/operator", { login }),
  operatorOverview: () => call<Record<string, unknown>>("GET", "/operator/overview"),
};
