import { createContext, useContext } from "react";
import type { PersonShown } from "../../protocol/replay";
import type { Replay, ReplayState } from "../../state/replay/open";
import { useStore } from "../../state/store";

export const ReplayContext = createContext<Replay | null>(null);

export function useReplay(): Replay {
  const replay = useContext(ReplayContext);
  if (!replay) throw new Error("no replay around");
  return replay;
}

export function useReplayState<R>(select: (state: ReplayState) => R, same?: (a: R, b: R) => boolean): R {
  return useStore(useReplay().store, select, same);
}

/** The name of a person who was seen so far, or a dash. */
export function nameOf(people: Record<string, PersonShown> | undefined, id: string): string {
  return people?.[id]?.name ?? "—";
}
