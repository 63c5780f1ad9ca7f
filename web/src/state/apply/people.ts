import type { ClassEvent, ParticipantView, Permissions, RoomView } from "../../protocol/types";

const ALL: Permissions = { microphone: true, camera: true, screen: true, chat: true };
type On<T extends ClassEvent["type"]> = Extract<ClassEvent, { type: T }>;
type Who = On<"hand_raised">["who"];

/** The list with one person changed; the same list when nobody of that id is in it. */
export function patch(list: ParticipantView[], id: string, change: Partial<ParticipantView>): ParticipantView[] {
  const at = list.findIndex((person) => person.id === id);
  const person = list[at];
  if (!person) return list;
  const next = list.slice();
  next[at] = { ...person, ...change };
  return next;
}

export const without = <T>(list: T[], value: T): T[] => (list.includes(value) ? list.filter((each) => each !== value) : list);
export const withLast = <T>(list: T[], value: T): T[] => (list.includes(value) ? list : [...list, value]);
const dropId = (list: ParticipantView[], id: string) => (list.some((p) => p.id === id) ? list.filter((p) => p.id !== id) : list);
const staffRole = (role: string) => role === "trainer" || role === "assistant";
export const isStaff = (view: RoomView): boolean => view.capabilities.includes("see_waiting");

function introduced(id: string, who: Who): ParticipantView {
  return {
    id,
    name: who.name,
    role: who.role,
    seat: "admitted",
    present: who.present ?? true,
    on_stage: staffRole(who.role),
    microphone: false,
    camera: false,
    screen: false,
    permissions: who.permissions ?? ALL,
    hand_at: null,
    imitates: who.imitates ?? false,
  };
}

/** Lists the person an event introduces, if not listed yet. */
export function know(view: RoomView, id: string, who: Who): RoomView {
  if (view.participants.some((person) => person.id === id)) return view;
  return { ...view, participants: [...view.participants, introduced(id, who)] };
}

export function joined(view: RoomView, event: On<"participant_joined">): RoomView {
  const id = event.participant;
  const fresh = introduced(id, {
    name: event.name,
    role: event.role,
    present: false,
    imitates: event.imitates,
    permissions: event.permissions,
  });
  const person = { ...fresh, seat: event.seat, on_stage: event.on_stage ?? false };
  const cleared = { ...view, waiting: dropId(view.waiting, id) };
  if (event.seat === "waiting" && id !== view.me) return { ...cleared, waiting: [...cleared.waiting, person] };
  return {
    ...cleared,
    participants: [...dropId(view.participants, id), person],
    stage: person.on_stage && person.role === "trainee" ? withLast(view.stage, id) : view.stage,
  };
}

export function admitted(view: RoomView, event: On<"participant_admitted">): RoomView {
  const id = event.participant;
  const on_stage = event.on_stage ?? false;
  const next = know({ ...view, waiting: dropId(view.waiting, id) }, id, event.who);
  return {
    ...next,
    participants: patch(next.participants, id, { seat: "admitted", on_stage }),
    stage: on_stage && event.who.role === "trainee" ? withLast(view.stage, id) : view.stage,
  };
}

export function declined(view: RoomView, id: string): RoomView {
  const person = view.waiting.find((each) => each.id === id);
  return {
    ...view,
    waiting: dropId(view.waiting, id),
    banned: person && isStaff(view) ? [...dropId(view.banned, id), { ...person, seat: "declined", present: false }] : view.banned,
    participants: patch(view.participants, id, { seat: "declined" }),
  };
}

export function removed(view: RoomView, event: On<"participant_removed">): RoomView {
  const id = event.participant;
  const seat = event.banned ? ("banned" as const) : ("removed" as const);
  const gone = { ...introduced(id, event.who), seat, on_stage: false };
  const banned = dropId(view.banned, id);
  return {
    ...view,
    waiting: dropId(view.waiting, id),
    participants: id === view.me ? patch(view.participants, id, gone) : dropId(view.participants, id),
    banned: isStaff(view) && event.banned ? [...banned, gone] : banned,
  };
}

export function roleChanged(view: RoomView, event: On<"role_changed">): RoomView {
  const id = event.participant;
  const change = { role: event.who.role, name: event.who.name, imitates: event.who.imitates ?? false };
  if (view.waiting.some((each) => each.id === id)) return { ...view, waiting: patch(view.waiting, id, change) };
  const next = know(view, id, event.who);
  const rights = { permissions: event.who.permissions ?? ALL, on_stage: staffRole(event.who.role) };
  return { ...next, participants: patch(next.participants, id, { ...change, ...rights }) };
}

/** In every list a person may be in. */
export function everywhere(view: RoomView, id: string, change: Partial<ParticipantView>): RoomView {
  return {
    ...view,
    participants: patch(view.participants, id, change),
    waiting: patch(view.waiting, id, change),
    banned: patch(view.banned, id, change),
  };
}

export function raised(view: RoomView, event: On<"hand_raised">, at: number): RoomView {
  const next = know(view, event.participant, event.who);
  return {
    ...next,
    hands: withLast(view.hands, event.participant),
    participants: patch(next.participants, event.participant, { hand_at: at }),
  };
}

export function lowered(view: RoomView, id: string): RoomView {
  return { ...view, hands: without(view.hands, id), participants: patch(view.participants, id, { hand_at: null }) };
}

export function allLowered(view: RoomView): RoomView {
  const participants = view.participants.map((person) => (person.hand_at === null ? person : { ...person, hand_at: null }));
  return { ...view, hands: [], participants };
}

export function onStage(view: RoomView, event: On<"stage_joined">): RoomView {
  const next = know(view, event.participant, event.who);
  return {
    ...next,
    stage: withLast(view.stage, event.participant),
    participants: patch(next.participants, event.participant, { on_stage: true }),
  };
}

export function offStage(view: RoomView, id: string): RoomView {
  return { ...view, stage: without(view.stage, id), participants: patch(view.participants, id, { on_stage: false }) };
}

/** A small class counts its own list; a large one lists only who is not a trainee, is on stage, in `hands`, or the viewer. */
export function settled(view: RoomView): RoomView {
  if (view.session.profile === "small") {
    if (view.capabilities.length === 0) return view;
    const present = view.participants.reduce((count, person) => count + (person.present ? 1 : 0), 0);
    return present === view.present ? view : { ...view, present };
  }
  const listed = (person: ParticipantView) =>
    person.role !== "trainee" || person.on_stage || person.id === view.me || view.hands.includes(person.id);
  return view.participants.every(listed) ? view : { ...view, participants: view.participants.filter(listed) };
}
