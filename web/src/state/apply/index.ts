/** `apply(view, entry)`: the view after one more event, as each event's "View:" says. Pure, never fails; what a later version adds changes nothing. */
import type { Entry, RoomView, SessionView } from "../../protocol/types";
import * as chat from "./chat";
import * as people from "./people";
import * as polls from "./polls";

function session(view: RoomView, change: Partial<SessionView>): RoomView {
  return { ...view, session: { ...view.session, ...change } };
}

function person(view: RoomView, id: string, change: Parameters<typeof people.patch>[2]): RoomView {
  return { ...view, participants: people.patch(view.participants, id, change) };
}

function step(view: RoomView, entry: Entry): RoomView {
  const event = entry.event;
  switch (event.type) {
    case "lobby_opened":
      return session(view, { phase: "lobby" });
    case "class_started":
      return session(view, { phase: "live", started_at: entry.at });
    case "break_started":
      return session(view, { phase: "break", break_until: event.until });
    case "class_resumed":
      return session(view, { phase: "live", break_until: null });
    case "class_ended":
      return session(view, { phase: "ended", break_until: null, ended_at: entry.at });
    case "settings_changed":
      return session(view, { settings: event.settings });
    case "participant_joined":
      return people.joined(view, event);
    case "connection_opened":
      return people.everywhere(view, event.participant, { present: true });
    case "connection_closed":
      return event.last ? people.everywhere(view, event.participant, { present: false }) : view;
    case "participant_admitted":
      return people.admitted(view, event);
    case "participant_declined":
      return people.declined(view, event.participant);
    case "participant_removed":
      return people.removed(view, event);
    case "ban_lifted":
      return { ...view, banned: view.banned.filter((each) => each.id !== event.participant) };
    case "role_changed":
      return people.roleChanged(view, event);
    case "name_flagged":
      return people.everywhere(view, event.participant, { imitates: true });
    case "permissions_changed":
      return person(view, event.participant, { permissions: event.permissions });
    case "hand_raised":
      return people.raised(view, event, entry.at);
    case "hand_lowered":
      return people.lowered(view, event.participant);
    case "all_hands_lowered":
      return people.allLowered(view);
    case "stage_joined":
      return people.onStage(view, event);
    case "stage_left":
      return people.offStage(view, event.participant);
    case "main_changed":
      return { ...view, main: event.participant };
    case "microphone_changed":
      return person(view, event.participant, { microphone: event.on });
    case "camera_changed":
      return person(view, event.participant, { camera: event.on });
    case "screen_started":
      return { ...person(view, event.participant, { screen: true }), screen: event.participant };
    case "screen_stopped":
      return { ...person(view, event.participant, { screen: false }), screen: null };
    case "chat_posted":
      return chat.posted(view, entry, event);
    case "chat_deleted":
      return chat.deleted(view, event.message);
    case "poll_created":
    case "poll_opened":
      return polls.put(view, event);
    case "poll_answered":
      return polls.answered(view, event);
    case "poll_closed":
      return polls.closed(view, event);
    case "poll_revealed":
      return polls.revealed(view, event);
    case "recording_started":
      return session(view, { recorded_since: entry.at });
    case "recording_stopped":
      return session(view, { recorded_since: null });
    case "left_out_changed": {
      const others = view.left_out.filter((id) => id !== event.participant);
      return { ...view, left_out: event.left_out ? [...others, event.participant] : others };
    }
    default:
      return view;
  }
}

export function apply(view: RoomView, entry: Entry): RoomView {
  return { ...people.settled(step(view, entry)), seq: entry.seq };
}
