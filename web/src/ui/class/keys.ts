import { useEffect, useRef } from "react";
import { useStore } from "../../state/store";
import { prefs } from "../prefs";

/** Whether a key press belongs to a field, a menu or a dialog rather than to the page. What stands beside the page (`data-beside`) does not count. */
export function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof Element) || target.closest("[data-beside]")) return false;
  return (
    target.closest(
      'input, textarea, select, [contenteditable="true"], [role="menu"], [role="dialog"], [role="alertdialog"], [role="listbox"]',
    ) !== null
  );
}

/** Single-letter shortcuts: only while no field has focus, never with a modifier, and only if left switched on. */
export function useKeys(table: Readonly<Record<string, () => void>>): void {
  const on = useStore(prefs, (state) => state.shortcuts);
  const latest = useRef(table);
  latest.current = table;
  useEffect(() => {
    if (!on) return;
    const press = (event: KeyboardEvent) => {
      if (
        event.ctrlKey ||
        event.metaKey ||
        event.altKey ||
        event.repeat ||
        event.isComposing ||
        event.defaultPrevented ||
        isTyping(event.target)
      )
        return;
      const run = latest.current[event.key.toLowerCase()];
      if (!run) return;
      event.preventDefault();
      run();
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, [on]);
}
