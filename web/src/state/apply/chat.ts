import type { Entry, MessageView, RoomView } from "../../protocol/types";

/** What a newcomer would get; more is dropped so that a long class does not grow a tab without end. */
const KEPT = 500;

export function posted(view: RoomView, entry: Entry, event: Extract<Entry["event"], { type: "chat_posted" }>): RoomView {
  const by = entry.by ?? "";
  const author = view.participants.find((person) => person.id === by);
  const known = author ?? view.chat.findLast((message) => message.by === by);
  const message: MessageView = {
    id: event.message,
    at: entry.at,
    by,
    name: known?.name ?? "",
    role: known?.role ?? "trainee",
    channel: event.channel,
    to: event.to ?? null,
    text: event.text,
    deleted: false,
  };
  return { ...view, chat: [...view.chat, message].slice(-KEPT) };
}

export function deleted(view: RoomView, id: string): RoomView {
  return { ...view, chat: view.chat.map((message) => (message.id === id ? { ...message, text: "", deleted: true } : message)) };
}
