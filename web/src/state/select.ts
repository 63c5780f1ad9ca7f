/** Questions the page asks of the view. Pure. */
import type { ParticipantView, PollView, Role, RoomView } from "../protocol/types";

const indexes = new WeakMap<ParticipantView[], Map<string, ParticipantView>>();

/** People by id; built once per list. */
export function byId(list: ParticipantView[]): Map<string, ParticipantView> {
  let index = indexes.get(list);
  if (!index) {
    index = new Map(list.map((person) => [person.id, person]));
    indexes.set(list, index);
  }
  return index;
}

export const person = (view: RoomView, id: string | null): ParticipantView | null =>
  id ? (byId(view.participants).get(id) ?? null) : null;
export const me = (view: RoomView): ParticipantView | null => person(view, view.me);
export const may = (view: RoomView, capability: string): boolean => view.capabilities.includes(capability);
export const isStaffRole = (role: Role): boolean => role === "trainer" || role === "assistant";
export const isStaff = (view: RoomView): boolean => {
  const own = me(view);
  return own !== null && isStaffRole(own.role);
};
export const openPoll = (view: RoomView): PollView | null => view.polls.find((poll) => poll.state === "open") ?? null;
export const inspectorPresent = (view: RoomView): boolean => view.participants.some((each) => each.role === "inspector" && each.present);

/** The trainer first, then assistants; only those present. */
export function staffPresent(view: RoomView): ParticipantView[] {
  const staff = view.participants.filter((each) => isStaffRole(each.role) && each.present && each.seat === "admitted");
  return staff.sort((a, b) => Number(b.role === "trainer") - Number(a.role === "trainer"));
}

/** Everybody with a picture or a place on stage, staff first, then in the order of going on stage. */
export function stagePeople(view: RoomView): ParticipantView[] {
  const index = byId(view.participants);
  const trainees = view.stage
    .map((id) => index.get(id))
    .filter((each): each is ParticipantView => each?.present === true && !isStaffRole(each.role));
  return [...staffPresent(view), ...trainees];
}

/** Who is large: as set, else the trainer, else the loudest on stage, else the first. */
export function mainPerson(view: RoomView, speakers: readonly string[]): ParticipantView | null {
  const stage = stagePeople(view);
  const chosen = stage.find((each) => each.id === view.main);
  if (chosen) return chosen;
  const trainer = stage.find((each) => each.role === "trainer");
  if (trainer) return trainer;
  return stage.find((each) => speakers.includes(each.id)) ?? stage[0] ?? null;
}

export type Permit = { ok: true } | { ok: false; why: "stage" | "blocked" | "phase" | "frozen" | "role" };
const NO = (why: "stage" | "blocked" | "phase" | "frozen" | "role"): Permit => ({ ok: false, why });

/** Whether this viewer may switch the device on now; the server decides again. */
export function mayPublish(view: RoomView, what: "microphone" | "camera" | "screen"): Permit {
  const own = me(view);
  if (!own || !may(view, what === "screen" ? "share_screen" : "publish")) return NO("role");
  const { phase, settings } = view.session;
  if (isStaffRole(own.role)) return phase === "ended" ? NO("phase") : { ok: true };
  if (phase !== "live") return NO("phase");
  if (settings.frozen) return NO("frozen");
  if (!own.on_stage) return NO("stage");
  const allowed = { microphone: settings.microphones, camera: settings.cameras, screen: settings.screens }[what];
  return allowed && own.permissions[what] ? { ok: true } : NO("blocked");
}

export type ChatPermit = { ok: boolean; staffOnly: boolean; why: "off" | "blocked" | "frozen" | "phase" | "role" | null };

export function mayChat(view: RoomView): ChatPermit {
  const own = me(view);
  const refuse = (why: NonNullable<ChatPermit["why"]>): ChatPermit => ({ ok: false, staffOnly: false, why });
  if (!own || !may(view, "chat")) return refuse("role");
  const { phase, settings } = view.session;
  if (phase === "ended") return refuse("phase");
  if (isStaffRole(own.role)) return { ok: true, staffOnly: false, why: null };
  if (phase === "scheduled") return refuse("phase");
  if (settings.frozen) return refuse("frozen");
  if (!own.permissions.chat) return refuse("blocked");
  if (settings.chat === "off") return refuse("off");
  return { ok: true, staffOnly: settings.chat === "staff", why: null };
}
