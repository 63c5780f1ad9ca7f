import type { ClassEvent, Entry, RoomView } from "../../protocol/types";

/** What a newcomer would get; more is dropped so that a long class does not grow a tab without end. */
const KEPT = 500;

export function posted(view: RoomView, entry: Entry, event: Extract<ClassEvent, { type: "chat_posted" }>): RoomView {
  const { message: id, channel, name, role, text } = event;
  const message = { id, at: entry.at, by: entry.by ?? "", name, role, channel, to: event.to ?? null, text, deleted: false };
  return { ...view, chat: [...view.chat, message].slice(-KEPT) };
}

export function deleted(view: RoomView, id: string): RoomView {
  return { ...view, chat: view.chat.map((message) => (message.id === id ? { ...message, text: "", deleted: true } : message)) };
}
