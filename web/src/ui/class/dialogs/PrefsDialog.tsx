import { useTranslation } from "react-i18next";
import { useStore } from "../../../state/store";
import { LANGUAGES, type Language } from "../../i18n";
import { Modal } from "../../parts/Modal";
import { prefs, setPrefs, type Theme } from "../../prefs";
import { useDesk } from "../context";

const THEMES: readonly Theme[] = ["system", "light", "dark"];
/** Names of languages are written in the language itself. */
const OWN_NAME: Record<Language, string> = { "zh-CN": "中文", en: "English" };

export function PrefsDialog() {
  const { t } = useTranslation();
  const desk = useDesk();
  const now = useStore(prefs, (state) => state);
  const words = { system: t("common.themeSystem"), light: t("common.themeLight"), dark: t("common.themeDark") };
  return (
    <Modal title={t("prefs.title")} open onClose={() => desk.set({ dialog: null })}>
      <div className="dialog-body flush">
        <div className="line">
          <span className="t">
            <b>{t("common.language")}</b>
          </span>
          <fieldset className="seg" aria-label={t("common.language")}>
            {LANGUAGES.map((language) => (
              <button
                key={language}
                type="button"
                lang={language}
                aria-pressed={now.language === language}
                onClick={() => setPrefs({ language })}
              >
                {OWN_NAME[language]}
              </button>
            ))}
          </fieldset>
        </div>
        <div className="line">
          <span className="t">
            <b>{t("common.theme")}</b>
          </span>
          <fieldset className="seg" aria-label={t("common.theme")}>
            {THEMES.map((theme) => (
              <button key={theme} type="button" aria-pressed={now.theme === theme} onClick={() => setPrefs({ theme })}>
                {words[theme]}
              </button>
            ))}
          </fieldset>
        </div>
        <label className="line tap">
          <span className="t">
            <b>{t("prefs.sounds")}</b>
            <span>{t("prefs.soundsHint")}</span>
          </span>
          <input
            className="switch"
            type="checkbox"
            role="switch"
            checked={now.sounds}
            onChange={(event) => setPrefs({ sounds: event.target.checked })}
          />
        </label>
        <label className="line tap hide-s">
          <span className="t">
            <b>{t("prefs.shortcuts")}</b>
            <span>{t("prefs.shortcutsHint")}</span>
          </span>
          <input
            className="switch"
            type="checkbox"
            role="switch"
            checked={now.shortcuts}
            onChange={(event) => setPrefs({ shortcuts: event.target.checked })}
          />
        </label>
      </div>
    </Modal>
  );
}
