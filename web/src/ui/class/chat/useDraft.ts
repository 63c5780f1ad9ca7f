import { type Dispatch, type SetStateAction, useEffect, useState } from "react";

/** Text that outlives a reload of the tab, not the tab. */
export function useDraft(name: string): [string, Dispatch<SetStateAction<string>>] {
  const key = `jiangtai.draft.${name}`;
  const [text, setText] = useState(() => sessionStorage.getItem(key) ?? "");
  useEffect(() => {
    if (text) sessionStorage.setItem(key, text);
    else sessionStorage.removeItem(key);
  }, [key, text]);
  return [text, setText];
}
