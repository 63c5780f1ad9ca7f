/** What of an event a person should be told in passing. Pure: the view is the one before the event. */
import type { Entry, RoomView } from "../protocol/types";
import type { Notice } from "./classroom";
import { isStaff, may, person } from "./select";

/** More people than this: joins and leaves are not read out, they would never end. */
const ANNOUNCED_JOINS = 50;

export function noticeOf(view: RoomView, entry: Entry): Notice | null {
  const { event, by } = entry;
  const mine = by === view.me;
  switch (event.type) {
    case "microphone_changed":
      return event.participant === view.me && !event.on && by && !mine ? { kind: "muted" } : null;
    case "camera_changed":
      return event.participant === view.me && !event.on && by && !mine ? { kind: "camera_stopped" } : null;
    case "stage_joined":
      return event.participant === view.me ? { kind: "on_stage" } : null;
    case "stage_left":
      return event.participant === view.me && !mine ? { kind: "off_stage" } : null;
    case "hand_raised":
      return may(view, "manage_hands") ? { kind: "hand", name: event.who.name } : null;
    case "participant_joined":
      if (event.participant === view.me) return null;
      if (event.seat === "waiting") return isStaff(view) ? { kind: "waiting", count: view.waiting.length + 1 } : null;
      return view.present <= ANNOUNCED_JOINS ? { kind: "joined", name: event.name } : null;
    case "participant_admitted":
      return view.present <= ANNOUNCED_JOINS && event.participant !== view.me ? { kind: "joined", name: event.who.name } : null;
    case "participant_left": {
      const who = person(view, event.participant);
      return who && view.present <= ANNOUNCED_JOINS && who.id !== view.me ? { kind: "left", name: who.name } : null;
    }
    case "chat_posted":
      return mine ? null : { kind: "message", name: event.name, text: event.text };
    case "poll_opened":
      return mine ? null : { kind: "poll", question: event.question };
    case "poll_revealed": {
      const poll = view.polls.find((each) => each.id === event.poll);
      return poll ? { kind: "result", question: poll.question } : null;
    }
    default:
      return null;
  }
}
