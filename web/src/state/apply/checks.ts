import type { CheckView, ClassEvent, RoomView } from "../../protocol/types";

type On<T extends ClassEvent["type"]> = Extract<ClassEvent, { type: T }>;

function put(view: RoomView, event: On<"check_opened" | "check_asked">, at: number, known: Partial<CheckView>): RoomView {
  const bare: CheckView = { id: event.check, opened_at: at, until: event.until, nonce: null, mine: false, asked: null, answered: null };
  return { ...view, check: { ...bare, ...known } };
}

export const opened = (view: RoomView, event: On<"check_opened">, at: number) => put(view, event, at, { asked: event.asked, answered: [] });
export const asked = (view: RoomView, event: On<"check_asked">, at: number) => put(view, event, at, { nonce: event.nonce });

export function answered(view: RoomView, event: On<"check_answered">, by: string | null | undefined): RoomView {
  const { check } = view;
  if (!check || check.id !== event.check || !by) return view;
  const list = check.answered ? [...check.answered, by] : null;
  return { ...view, check: { ...check, answered: list, mine: check.mine || by === view.me } };
}

export const scheduled = (view: RoomView, event: On<"checks_scheduled">): RoomView => ({ ...view, checks_at: event.at ?? null });
