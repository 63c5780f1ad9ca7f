import { useCallback, useEffect, useState } from "react";
import type { ParticipantView, PeoplePage } from "../../../protocol/types";
import { may } from "../../../state/select";
import { useClassroom, useView } from "../context";

const SIZE = 100;
const QUIET_MS = 250;

/** The pages of a large class's list that were asked for so far; empty in a small class, which has the full list already. */
export function usePages(query: string): { people: ParticipantView[]; more: (() => void) | null } {
  const classroom = useClassroom();
  const paged = useView((view) => view.session.profile === "large" && may(view, "see_everybody"));
  const [people, setPeople] = useState<ParticipantView[]>([]);
  const [next, setNext] = useState<string | null>(null);
  const load = useCallback(
    (after: string | null, live: () => boolean) => {
      classroom.ask<PeoplePage>({ type: "people", limit: SIZE, ...(after ? { after } : {}), ...(query ? { query } : {}) }).then(
        (page) => {
          if (!live()) return;
          setPeople((now) => (after ? [...now, ...page.people] : page.people));
          setNext(page.next);
        },
        () => undefined,
      );
    },
    [classroom, query],
  );
  useEffect(() => {
    if (!paged) return;
    let live = true;
    const timer = setTimeout(() => load(null, () => live), QUIET_MS);
    return () => {
      live = false;
      clearTimeout(timer);
    };
  }, [paged, load]);
  return { people, more: next === null ? null : () => load(next, () => true) };
}
