import { afterEach, vi } from "vitest";

/** What jsdom lacks and the pages ask for at import time. */
Object.defineProperty(window, "matchMedia", {
  configurable: true,
  value: (query: string) => ({ matches: false, media: query, addEventListener: () => undefined, removeEventListener: () => undefined }),
});
class StillObserver {
  observe(): void {}
  unobserve(): void {}
  disconnect(): void {}
}
vi.stubGlobal("ResizeObserver", StillObserver);
vi.stubGlobal("IntersectionObserver", StillObserver);
Object.defineProperty(HTMLMediaElement.prototype, "play", { configurable: true, value: async () => undefined });
Object.defineProperty(HTMLMediaElement.prototype, "pause", { configurable: true, value: () => undefined });

afterEach(() => {
  sessionStorage.clear();
  localStorage.clear();
});
