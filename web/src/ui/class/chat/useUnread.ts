import { useEffect, useState } from "react";
import { useDeskState, useView } from "../context";

/** Messages of others since the chat was last on screen. */
export function useUnread(): number {
  const open = useDeskState((desk) => desk.side && desk.panel === "chat");
  const last = useView((view) => view.chat.at(-1)?.id ?? "");
  const [seen, setSeen] = useState(last);
  useEffect(() => {
    if (open) setSeen(last);
  }, [open, last]);
  return useView((view) => {
    if (open || seen === last) return 0;
    const from = view.chat.findLastIndex((message) => message.id === seen);
    return view.chat.slice(from + 1).filter((message) => message.by !== view.me).length;
  });
}
