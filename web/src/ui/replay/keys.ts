import { useEffect, useRef } from "react";
import { useStore } from "../../state/store";
import { isTyping } from "../class/keys";
import { prefs } from "../prefs";

/** Controls that use these keys themselves. */
const OWN: Record<string, string> = {
  " ": "button, a, [role=tab], [role=menuitem], summary",
  arrowleft: "[role=tablist], [role=slider], [role=menu]",
  arrowright: "[role=tablist], [role=slider], [role=menu]",
  arrowup: "[role=slider], [role=menu], [data-scrolls]",
  arrowdown: "[role=slider], [role=menu], [data-scrolls]",
};

/** The player's keys: like `useKeys`, and a key goes to the focused control where that uses it itself. */
export function usePlayerKeys(table: Readonly<Record<string, () => void>>): void {
  const on = useStore(prefs, (state) => state.shortcuts);
  const latest = useRef(table);
  latest.current = table;
  useEffect(() => {
    if (!on) return;
    const press = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented || isTyping(event.target)) return;
      const key = event.key.toLowerCase();
      const run = latest.current[key];
      const own = OWN[key];
      if (!run || (own && event.target instanceof Element && event.target.closest(own))) return;
      event.preventDefault();
      run();
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, [on]);
}
