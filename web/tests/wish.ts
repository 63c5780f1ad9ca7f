/** A class as tests wish it: a live small one of ten, with what is said in `part` instead. */
import type { Wish } from "../screens/app/fixtures";

export const wish = (part: Partial<Wish> = {}): Wish => ({
  language: "en",
  role: "trainee",
  people: 10,
  profile: "small",
  phase: "live",
  chat: true,
  poll: "none",
  hands: 0,
  waiting: 0,
  inspector: false,
  check: "none",
  own: false,
  settings: {},
  ...part,
});
