import i18next from "i18next";
import { initReactI18next } from "react-i18next";

export type Language = "zh-CN" | "en";
export const LANGUAGES: readonly Language[] = ["zh-CN", "en"];

/** The language the browser asks for: Chinese of any kind, else English. */
export function preferred(languages: readonly string[]): Language {
  for (const each of languages) {
    if (each.toLowerCase().startsWith("zh")) return "zh-CN";
    if (each.toLowerCase().startsWith("en")) return "en";
  }
  return "en";
}

async function catalogue(language: Language): Promise<Record<string, unknown>> {
  return language === "zh-CN" ? (await import("./zh")).zh : (await import("./en")).en;
}

async function ensure(language: Language): Promise<void> {
  if (!i18next.hasResourceBundle(language, "translation")) {
    i18next.addResourceBundle(language, "translation", await catalogue(language));
  }
}

/** Loads one language (the other only when switched to) and names it on the document. */
export async function start(language: Language): Promise<void> {
  await i18next.use(initReactI18next).init({
    lng: language,
    resources: { [language]: { translation: await catalogue(language) } },
    fallbackLng: false,
    partialBundledLanguages: true,
    interpolation: { escapeValue: false },
    returnNull: false,
  });
  document.documentElement.lang = language;
}

export async function switchTo(language: Language): Promise<void> {
  await ensure(language);
  await i18next.changeLanguage(language);
  document.documentElement.lang = language;
}

export { i18next };
