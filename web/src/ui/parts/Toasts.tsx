import { Store, useStore } from "../../state/store";
import { Icon, type IconName } from "./Icon";

export interface Toast {
  id: number;
  text: string;
  tone: "info" | "bad" | "ask";
}

const SHOWN_MS = 4_500;
const MOST = 3;
const toasts = new Store<{ list: Toast[] }>({ list: [] });
let next = 1;

/** Says something in passing: shown for some seconds and read out politely. */
export function toast(text: string, tone: Toast["tone"] = "info"): void {
  const id = next++;
  toasts.set(({ list }) => ({ list: [...list.filter((each) => each.text !== text), { id, text, tone }].slice(-MOST) }));
  setTimeout(() => toasts.set(({ list }) => ({ list: list.filter((each) => each.id !== id) })), SHOWN_MS);
}

const ICONS: Record<Toast["tone"], IconName> = { info: "info", bad: "warn", ask: "hand" };

export function Toasts() {
  const list = useStore(toasts, (state) => state.list);
  return (
    <div className="toasts" role="status" aria-live="polite">
      {list.map((each) => (
        <div key={each.id} className={`toast ${each.tone}`}>
          <Icon name={ICONS[each.tone]} className="i18" />
          <span>{each.text}</span>
        </div>
      ))}
    </div>
  );
}
