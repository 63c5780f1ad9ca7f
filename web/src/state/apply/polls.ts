import type { ClassEvent, PollView, RoomView } from "../../protocol/types";

type On<T extends ClassEvent["type"]> = Extract<ClassEvent, { type: T }>;

function change(view: RoomView, id: string, edit: (poll: PollView) => PollView): RoomView {
  return { ...view, polls: view.polls.map((poll) => (poll.id === id ? edit(poll) : poll)) };
}

export function put(view: RoomView, event: On<"poll_created" | "poll_opened">): RoomView {
  const state = event.type === "poll_opened" ? ("open" as const) : ("draft" as const);
  const sees = view.capabilities.includes("see_tallies");
  const poll: PollView = {
    id: event.poll,
    question: event.question,
    options: event.options,
    multiple: event.multiple,
    anonymous: event.anonymous,
    state,
    revealed: false,
    mine: null,
    tally: sees ? event.options.map(() => 0) : null,
    voters: sees ? 0 : null,
  };
  return { ...view, polls: [...view.polls.filter((each) => each.id !== event.poll), poll] };
}

export const answered = (view: RoomView, event: On<"poll_answered">) =>
  change(view, event.poll, (poll) => ({ ...poll, mine: event.choices }));
export const closed = (view: RoomView, event: On<"poll_closed">) =>
  change(view, event.poll, (poll) => ({ ...poll, state: "closed", tally: event.tally ?? poll.tally, voters: event.voters ?? poll.voters }));
export const revealed = (view: RoomView, event: On<"poll_revealed">) =>
  change(view, event.poll, (poll) => ({ ...poll, revealed: true, tally: event.tally, voters: event.voters }));
/** A running tally told by signal; newest wins. */
export const tallied = (view: RoomView, id: string, tally: number[], voters: number) =>
  change(view, id, (poll) => ({ ...poll, tally, voters }));
