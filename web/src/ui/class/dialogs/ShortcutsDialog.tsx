import { useTranslation } from "react-i18next";
import { useStore } from "../../../state/store";
import { Modal } from "../../parts/Modal";
import { prefs } from "../../prefs";
import { useDesk } from "../context";

const SHEET = [
  ["M", "mic"],
  ["V", "camera"],
  ["R", "hand"],
  ["C", "chat"],
  ["P", "people"],
  ["D", "share"],
  ["K", "check"],
  ["?", "sheet"],
] as const;

export function ShortcutsDialog() {
  const { t } = useTranslation();
  const desk = useDesk();
  const on = useStore(prefs, (state) => state.shortcuts);
  return (
    <Modal title={t("shortcuts.title")} open onClose={() => desk.set({ dialog: null })}>
      <div className="dialog-body flush">
        {SHEET.map(([key, name]) => (
          <div key={key} className="line">
            <span className="t">
              <b>{t(`shortcuts.${name}`)}</b>
            </span>
            <kbd>{key}</kbd>
          </div>
        ))}
        {on ? null : <p className="dialog-text s">{t("shortcuts.off")}</p>}
      </div>
    </Modal>
  );
}
