/** Random names made by the client: 128 bits, safe in a URL. */
export function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}

/** The same id for the life of this tab, so that a reload replaces its own connection instead of standing next to it. */
export function tabId(storage: Storage = sessionStorage): string {
  const key = "jiangtai.tab";
  const known = storage.getItem(key);
  if (known) return known;
  const made = randomId();
  storage.setItem(key, made);
  return made;
}
