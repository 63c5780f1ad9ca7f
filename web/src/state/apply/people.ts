import type { Entry, ParticipantView, Permissions, RoomView } from "../../protocol/types";

const ALL: Permissions = { microphone: true, camera: true, screen: true, chat: true };

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

function find(view: RoomView, id: string): ParticipantView | undefined {
  return view.participants.find((p) => p.id === id) ?? view.waiting.find((p) => p.id === id) ?? view.banned.find((p) => p.id === id);
}

/** The person's hand, tracks and place on stage are gone. */
export function silence(view: RoomView, id: string): RoomView {
  return {
    ...view,
    participants: patch(view.participants, id, { hand_at: null, microphone: false, camera: false, screen: false, on_stage: false }),
    hands: without(view.hands, id),
    stage: without(view.stage, id),
    screen: view.screen === id ? null : view.screen,
    main: view.main === id ? null : view.main,
  };
}

type On<T extends Entry["event"]["type"]> = Extract<Entry["event"], { type: T }>;

export function joined(view: RoomView, event: On<"participant_joined">): RoomView {
  const known = find(view, event.participant);
  const person: ParticipantView = {
    id: event.participant,
    name: event.name,
    role: event.role,
    seat: event.seat,
    present: known?.present ?? false,
    on_stage: event.on_stage ?? false,
    microphone: false,
    camera: false,
    screen: false,
    permissions: known?.permissions ?? ALL,
    hand_at: null,
    imitates: known?.imitates ?? false,
  };
  const cleared = {
    ...view,
    participants: dropId(view.participants, person.id),
    waiting: dropId(view.waiting, person.id),
    banned: dropId(view.banned, person.id),
  };
  if (person.seat === "waiting" && person.id !== view.me) return { ...cleared, waiting: [...cleared.waiting, person] };
  return {
    ...cleared,
    participants: [...cleared.participants, person],
    stage: person.on_stage ? withLast(view.stage, person.id) : view.stage,
  };
}

export function admitted(view: RoomView, event: On<"participant_admitted">): RoomView {
  const person = find(view, event.participant);
  if (!person) return view;
  const on_stage = event.on_stage ?? false;
  const next = { ...person, seat: "admitted" as const, on_stage };
  const known = view.participants.some((p) => p.id === person.id);
  return {
    ...view,
    waiting: dropId(view.waiting, person.id),
    participants: known ? patch(view.participants, person.id, next) : [...view.participants, next],
    stage: on_stage ? withLast(view.stage, person.id) : view.stage,
  };
}

export function declined(view: RoomView, id: string): RoomView {
  return { ...view, waiting: dropId(view.waiting, id), participants: patch(view.participants, id, { seat: "declined" }) };
}

export function removed(view: RoomView, event: On<"participant_removed">, staff: boolean): RoomView {
  const id = event.participant;
  const person = find(view, id);
  const seat = event.banned ? ("banned" as const) : ("removed" as const);
  const next = silence(view, id);
  const gone = person ? { ...person, seat, present: false, on_stage: false, microphone: false, camera: false, screen: false, hand_at: null } : null;
  return {
    ...next,
    waiting: dropId(next.waiting, id),
    participants: id === view.me && gone ? patch(next.participants, id, gone) : dropId(next.participants, id),
    banned: staff && event.banned && gone ? [...dropId(next.banned, id), gone] : next.banned,
  };
}

export function left(view: RoomView, id: string): RoomView {
  const next = silence(view, id);
  return { ...next, participants: patch(next.participants, id, { present: false }), waiting: dropId(next.waiting, id) };
}

export function presence(view: RoomView, id: string, present: boolean): RoomView {
  return { ...view, participants: patch(view.participants, id, { present }), waiting: patch(view.waiting, id, { present }) };
}

export function raised(view: RoomView, id: string, at: number): RoomView {
  if (view.hands.includes(id)) return view;
  return { ...view, hands: [...view.hands, id], participants: patch(view.participants, id, { hand_at: at }) };
}

export function lowered(view: RoomView, id: string): RoomView {
  return { ...view, hands: without(view.hands, id), participants: patch(view.participants, id, { hand_at: null }) };
}

export function allLowered(view: RoomView): RoomView {
  return {
    ...view,
    hands: [],
    participants: view.participants.map((person) => (person.hand_at === null ? person : { ...person, hand_at: null })),
  };
}
