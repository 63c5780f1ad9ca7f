/** `apply(view, entry)`: the view after one more event. Pure, never fails; an event of a later version changes nothing but the number. */
import type { Entry, RoomView, SessionView } from "../../protocol/types";
import * as chat from "./chat";
import * as people from "./people";
import * as polls from "./polls";

const isStaff = (view: RoomView) => view.capabilities.includes("remove");

function session(view: RoomView, change: Partial<SessionView>): RoomView {
  return { ...view, session: { ...view.session, ...change } };
}

function ended(view: RoomView, at: number): RoomView {
  const quiet = view.participants.map((person) => ({ ...person, microphone: false, camera: false, screen: false, hand_at: null }));
  return { ...session(view, { phase: "ended", ended_at: at, break_until: null }), participants: quiet, hands: [], screen: null };
}

function track(view: RoomView, id: string, change: { microphone?: boolean; camera?: boolean }): RoomView {
  return { ...view, participants: people.patch(view.participants, id, change) };
}

function screen(view: RoomView, id: string, on: boolean): RoomView {
  if (!on && view.screen !== id) return view;
  const cleared = view.screen ? people.patch(view.participants, view.screen, { screen: false }) : view.participants;
  return { ...view, screen: on ? id : null, participants: people.patch(cleared, id, { screen: on }) };
}

function stageJoined(view: RoomView, id: string): RoomView {
  return { ...people.lowered(view, id), stage: people.withLast(view.stage, id), participants: people.patch(view.participants, id, { on_stage: true, hand_at: null }) };
}

function stageLeft(view: RoomView, id: string): RoomView {
  return {
    ...view,
    stage: people.without(view.stage, id),
    main: view.main === id ? null : view.main,
    screen: view.screen === id ? null : view.screen,
    participants: people.patch(view.participants, id, { on_stage: false, microphone: false, camera: false, screen: false }),
  };
}

function step(view: RoomView, entry: Entry): RoomView {
  const event = entry.event;
  switch (event.type) {
    case "session_created":
      return view;
    case "lobby_opened":
      return session(view, { phase: "lobby" });
    case "class_started":
      return session(view, { phase: "live", started_at: entry.at });
    case "break_started":
      return session(view, { phase: "break", break_until: event.until });
    case "class_resumed":
      return session(view, { phase: "live", break_until: null });
    case "class_ended":
      return ended(view, entry.at);
    case "settings_changed":
      return session(view, { settings: event.settings });
    case "participant_joined":
      return people.joined(view, event);
    case "connection_opened":
      return people.presence(view, event.participant, true);
    case "connection_closed":
      return people.presence(view, event.participant, false);
    case "participant_admitted":
      return people.admitted(view, event);
    case "participant_declined":
      return people.declined(view, event.participant);
    case "participant_left":
      return people.left(view, event.participant);
    case "participant_removed":
      return people.removed(view, event, isStaff(view));
    case "ban_lifted":
      return { ...view, banned: view.banned.filter((person) => person.id !== event.participant) };
    case "permissions_changed":
      return { ...view, participants: people.patch(view.participants, event.participant, { permissions: event.permissions }) };
    case "hand_raised":
      return people.raised(view, event.participant, entry.at);
    case "hand_lowered":
      return people.lowered(view, event.participant);
    case "all_hands_lowered":
      return people.allLowered(view);
    case "stage_joined":
      return stageJoined(view, event.participant);
    case "stage_left":
      return stageLeft(view, event.participant);
    case "main_changed":
      return { ...view, main: event.participant ?? null };
    case "microphone_changed":
      return track(view, event.participant, { microphone: event.on });
    case "camera_changed":
      return track(view, event.participant, { camera: event.on });
    case "screen_started":
      return screen(view, event.participant, true);
    case "screen_stopped":
      return screen(view, event.participant, false);
    case "chat_posted":
      return chat.posted(view, entry, event);
    case "chat_deleted":
      return chat.deleted(view, event.message);
    case "poll_created":
    case "poll_opened":
      return polls.put(view, event, view.capabilities.includes("see_tallies"));
    case "poll_answered":
      return polls.answered(view, event);
    case "poll_closed":
      return polls.closed(view, event.poll);
    case "poll_revealed":
      return polls.revealed(view, event);
    default:
      return view;
  }
}

export function apply(view: RoomView, entry: Entry): RoomView {
  return { ...step(view, entry), seq: entry.seq };
}
