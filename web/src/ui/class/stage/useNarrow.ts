import { useSyncExternalStore } from "react";

const query = matchMedia("(max-width: 760px)");
const subscribe = (tell: () => void) => {
  query.addEventListener("change", tell);
  return () => query.removeEventListener("change", tell);
};

/** Whether the page has the phone layout. */
export const useNarrow = (): boolean => useSyncExternalStore(subscribe, () => query.matches);
