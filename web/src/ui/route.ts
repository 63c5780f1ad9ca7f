/** Which page the address names; addresses are few enough for a table. */
import { Store, useStore } from "../state/store";

export type Route =
  | { page: "home" }
  | { page: "join" }
  | { page: "class"; seat: string }
  | { page: "replay"; session: string; recording: string | null }
  | { page: "operator" }
  | { page: "report"; session: string }
  | { page: "lost" };

export function parse(path: string): Route {
  if (path === "/" || path === "/index.html") return { page: "home" };
  if (path === "/join") return { page: "join" };
  if (path === "/operator") return { page: "operator" };
  const report = /^\/report\/([A-Za-z0-9_-]{1,64})$/.exec(path)?.[1];
  if (report) return { page: "report", session: report };
  const replay = /^\/replay\/([A-Za-z0-9_-]{1,64})(?:\/([A-Za-z0-9_-]{1,64}))?$/.exec(path);
  if (replay?.[1]) return { page: "replay", session: replay[1], recording: replay[2] ?? null };
  const seat = /^\/class\/([A-Za-z0-9_-]{1,64})$/.exec(path)?.[1];
  return seat ? { page: "class", seat } : { page: "lost" };
}

const here = new Store({ route: parse(location.pathname) });
addEventListener("popstate", () => here.set({ route: parse(location.pathname) }));

export const useRoute = () => useStore(here, (state) => state.route);

/** The report of a class, as the seat of this browser that is named. */
export const reportPath = (session: string, seat: string | null): string => `/report/${session}${seat ? `?seat=${seat}` : ""}`;

/** The query (`?debug`) goes along. */
export function go(path: string, replace = false): void {
  history[replace ? "replaceState" : "pushState"](null, "", path + location.search);
  here.set({ route: parse(location.pathname) });
}

/** Takes a secret out of the fragment and out of the address bar, so that it is in no history, screenshot or referrer. */
export function takeFragment(...names: string[]): Record<string, string> {
  const found: Record<string, string> = {};
  const fragment = new URLSearchParams(location.hash.slice(1));
  for (const name of names) {
    const value = fragment.get(name);
    if (value) found[name] = value;
  }
  if (location.hash) history.replaceState(null, "", location.pathname + location.search);
  return found;
}
