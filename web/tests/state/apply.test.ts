import { describe, expect, it } from "vitest";
import type { Entry, ParticipantView, RoomView } from "../../src/protocol/types";
import { apply } from "../../src/state/apply";
import { tallied } from "../../src/state/apply/polls";
import recorded from "../vectors/lessons.json";

interface Lesson {
  seed: number;
  profile: "small" | "large";
  viewers: Record<string, ({ snapshot: RoomView } | { entries: Entry[]; view: RoomView })[]>;
}

const lessons = recorded as unknown as Lesson[];
const sorted = (list: ParticipantView[]) => [...list].sort((a, b) => a.id.localeCompare(b.id));

/** Numbers that travel by signal are not part of what events tell. */
function comparable(view: RoomView): RoomView {
  return {
    ...view,
    seq: 0,
    present: 0,
    participants: sorted(view.participants),
    waiting: sorted(view.waiting),
    banned: sorted(view.banned),
    polls: view.polls.map((poll) =>
      poll.state === "closed" || poll.revealed
        ? { ...poll, ...(poll.state === "open" ? { tally: null, voters: null } : {}) }
        : { ...poll, tally: null, voters: null },
    ),
  };
}

describe("the view after events is the view the server has", () => {
  for (const lesson of lessons) {
    for (const [viewer, steps] of Object.entries(lesson.viewers)) {
      it(`lesson ${lesson.seed} (${lesson.profile}) as ${viewer}`, () => {
        let view: RoomView | null = null;
        let compared = 0;
        for (const step of steps) {
          if ("snapshot" in step) {
            view = step.snapshot;
            continue;
          }
          if (!view) throw new Error("entries before a snapshot");
          for (const entry of step.entries) view = apply(view, entry);
          const [mine, theirs] = [comparable(view), comparable(step.view)];
          expect(mine).toEqual(theirs);
          compared += 1;
        }
        expect(compared).toBeGreaterThan(2);
      });
    }
  }
});

describe("apply", () => {
  const base = lessons[0]?.viewers.trainer?.find((step) => "snapshot" in step);
  if (!base || !("snapshot" in base)) throw new Error("no snapshot in the vectors");
  const view = base.snapshot;

  it("never changes the view it was given", () => {
    const before = structuredClone(view);
    const steps = lessons[0]?.viewers.trainer ?? [];
    let now = view;
    for (const step of steps) if ("entries" in step) for (const entry of step.entries) now = apply(now, entry);
    expect(view).toEqual(before);
  });

  it("passes over events of a later version and still counts them", () => {
    const entry = { seq: view.seq + 1, at: 1, event: { type: "whiteboard_wiped" } } as unknown as Entry;
    expect(apply(view, entry)).toEqual({ ...view, seq: view.seq + 1 });
  });

  it("keeps at most 500 messages", () => {
    let now = view;
    for (let i = 0; i < 520; i++) {
      now = apply(now, {
        seq: now.seq + 1,
        at: i,
        by: "x",
        event: { type: "chat_posted", message: `m${i}`, name: "X", role: "trainee", channel: "everyone", text: String(i) },
      });
    }
    expect(now.chat).toHaveLength(500);
    expect(now.chat.at(-1)?.text).toBe("519");
  });

  it("ends presence only with the last device", () => {
    const id = view.me;
    const one = apply(view, { seq: 900, at: 1, event: { type: "connection_closed", participant: id, connection: "a", reason: "lost" } });
    expect(one.participants.find((each) => each.id === id)?.present).toBe(true);
    const two = apply(view, {
      seq: 901,
      at: 1,
      event: { type: "connection_closed", participant: id, connection: "a", reason: "lost", last: true },
    });
    expect(two.participants.find((each) => each.id === id)?.present).toBe(false);
  });

  it("takes a running tally from a signal", () => {
    const opened = apply(view, {
      seq: 902,
      at: 1,
      event: { type: "poll_opened", poll: "q9", question: "?", options: ["a", "b"], multiple: false, anonymous: true },
    });
    expect(tallied(opened, "q9", [3, 1], 4).polls.at(-1)).toMatchObject({ tally: [3, 1], voters: 4 });
  });
});
