/** What a person set for this browser: look, language, keys, sounds. */
import { Store } from "../state/store";
import { LANGUAGES, type Language, preferred, switchTo } from "./i18n";

export type Theme = "system" | "light" | "dark";
export interface Prefs {
  theme: Theme;
  language: Language;
  shortcuts: boolean;
  sounds: boolean;
}

const KEY = "jiangtai.prefs";

function read(): Prefs {
  const base: Prefs = { theme: "system", language: preferred(navigator.languages), shortcuts: true, sounds: true };
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "{}") as Partial<Prefs>;
    return {
      theme: kept.theme === "light" || kept.theme === "dark" ? kept.theme : "system",
      language: kept.language && LANGUAGES.includes(kept.language) ? kept.language : base.language,
      shortcuts: kept.shortcuts ?? true,
      sounds: kept.sounds ?? true,
    };
  } catch {
    return base;
  }
}

export const prefs = new Store<Prefs>(read());
const darkSystem = () => matchMedia("(prefers-color-scheme: dark)");

function showTheme(): void {
  const { theme } = prefs.get();
  const dark = theme === "dark" || (theme === "system" && darkSystem().matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
}

export function setPrefs(change: Partial<Prefs>): void {
  prefs.set(change);
  try {
    localStorage.setItem(KEY, JSON.stringify(prefs.get()));
  } catch {
    // Without storage the choice lasts as long as the page.
  }
  showTheme();
  if (change.language) void switchTo(change.language);
}

/** Follows the system's change between light and dark. */
export function watchTheme(): void {
  showTheme();
  darkSystem().addEventListener("change", showTheme);
}
