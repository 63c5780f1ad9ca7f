import { createContext, useContext } from "react";
import type { RoomView } from "../../protocol/types";
import type { Classroom, ClassState } from "../../state/classroom";
import { Store, useStore } from "../../state/store";

export type Panel = "chat" | "people" | "polls";
export type Dialog = "settings" | "devices" | "prefs" | "shortcuts" | "leave" | "end" | "poll" | "own" | "record" | null;

/** What is open on this page; nobody else's business. */
export interface Desk {
  panel: Panel;
  side: boolean;
  dialog: Dialog;
  confirm: { kind: "remove" | "ban" | "delete"; id: string; name: string } | null;
  layout: "auto" | "gallery" | "speaker";
  /** Where the next message goes unless it is for one person. */
  channel: "everyone" | "staff";
  /** The one person the next message is for; with the name, since a page need not list everybody. */
  writeTo: { id: string; name: string } | null;
}

const KEY = "jiangtai.desk";

export function openDesk(): Store<Desk> {
  let kept: Partial<Desk> & { at?: string } = {};
  try {
    kept = JSON.parse(sessionStorage.getItem(KEY) ?? "{}") as typeof kept;
  } catch {
    kept = {};
  }
  // A draft comes back after a reload, and with it whom it was for.
  const draft: Partial<Desk> = kept.at === location.pathname ? kept : {};
  const desk = new Store<Desk>({
    panel: kept.panel ?? "chat",
    side: kept.side ?? true,
    dialog: null,
    confirm: null,
    layout: kept.layout ?? "auto",
    channel: draft.channel ?? "everyone",
    writeTo: draft.writeTo ?? null,
  });
  desk.subscribe(() => {
    const { panel, side, layout, channel, writeTo } = desk.get();
    sessionStorage.setItem(KEY, JSON.stringify({ panel, side, layout, channel, writeTo, at: location.pathname }));
  });
  return desk;
}

export interface Place {
  classroom: Classroom;
  desk: Store<Desk>;
}

export const PlaceContext = createContext<Place | null>(null);

function usePlace(): Place {
  const place = useContext(PlaceContext);
  if (!place) throw new Error("outside of a class");
  return place;
}

export const useClassroom = (): Classroom => usePlace().classroom;
export const useDesk = (): Store<Desk> => usePlace().desk;
export const useDeskState = <R>(select: (desk: Desk) => R): R => useStore(usePlace().desk, select);

export function useClass<R>(select: (state: ClassState) => R, same?: (a: R, b: R) => boolean): R {
  return useStore(usePlace().classroom.store, select, same);
}

/** Part of the view; only inside the room, where there is one. */
export function useView<R>(select: (view: RoomView, state: ClassState) => R, same?: (a: R, b: R) => boolean): R {
  return useClass((state) => {
    if (!state.view) throw new Error("no view yet");
    return select(state.view, state);
  }, same);
}

/** Shows a panel, or puts it away when it is the one shown. */
export function togglePanel(desk: Store<Desk>, panel: Panel): void {
  desk.set((now) => (now.side && now.panel === panel ? { side: false } : { side: true, panel }));
}
