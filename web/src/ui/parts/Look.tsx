import { useTranslation } from "react-i18next";
import { useStore } from "../../state/store";
import { prefs, setPrefs } from "../prefs";
import { Icon } from "./Icon";

/** Switches between the two languages; its label is in the other one. */
export function LanguageButton() {
  const { t } = useTranslation();
  const language = useStore(prefs, (state) => state.language);
  const other = language === "zh-CN" ? "en" : "zh-CN";
  return (
    <button type="button" className="btn sm" lang={other} onClick={() => setPrefs({ language: other })}>
      {t("common.otherLanguage")}
    </button>
  );
}

export function ThemeButton() {
  const { t } = useTranslation();
  const theme = useStore(prefs, (state) => state.theme);
  const dark = theme === "dark" || (theme === "system" && matchMedia("(prefers-color-scheme: dark)").matches);
  return (
    <button
      type="button"
      className="btn ghost icon-only"
      aria-label={dark ? t("common.themeLight") : t("common.themeDark")}
      onClick={() => setPrefs({ theme: dark ? "light" : "dark" })}
    >
      <Icon name={dark ? "sun" : "moon"} className="i18" />
    </button>
  );
}
