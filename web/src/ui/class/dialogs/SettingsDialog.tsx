import { useTranslation } from "react-i18next";
import type { ChatMode, Settings } from "../../../protocol/types";
import { Icon } from "../../parts/Icon";
import { Modal } from "../../parts/Modal";
import { useClassroom, useDesk, useView } from "../context";

type Switch = "waiting_room" | "locked" | "frozen" | "microphones" | "cameras" | "screens" | "hands" | "reactions";
const SLOW = [0, 5, 10, 30, 60];
const MODES: readonly ChatMode[] = ["open", "staff", "off"];

/** The switches of a class; each takes effect when touched. */
export function SettingsDialog() {
  const { t } = useTranslation();
  const classroom = useClassroom();
  const desk = useDesk();
  const settings = useView((view) => view.session.settings);
  const change = (part: Partial<Settings>) => void classroom.send({ type: "change_settings", ...part });
  const line = (name: Switch, title: string, hint?: string) => (
    <label key={name} className="line tap">
      <span className="t">
        <b>{title}</b>
        {hint ? <span>{hint}</span> : null}
      </span>
      <input
        className="switch"
        type="checkbox"
        role="switch"
        checked={settings[name]}
        onChange={(event) => change({ [name]: event.target.checked })}
      />
    </label>
  );
  const modes = { open: t("settings.chatOpen"), staff: t("settings.chatStaff"), off: t("settings.chatOff") };
  const slow = SLOW.includes(settings.slow_mode_s) ? SLOW : [...SLOW, settings.slow_mode_s].sort((a, b) => a - b);
  return (
    <Modal title={t("settings.title")} open onClose={() => desk.set({ dialog: null })}>
      <div className="dialog-body flush">
        {line("frozen", t("settings.frozen"), t("settings.frozenHint"))}
        <h3 className="group-title">{t("settings.access")}</h3>
        {line("waiting_room", t("settings.waitingRoom"), t("settings.waitingRoomHint"))}
        {line("locked", t("settings.locked"), t("settings.lockedHint"))}
        <h3 className="group-title">{t("settings.speech")}</h3>
        {line("microphones", t("settings.microphones"))}
        {line("cameras", t("settings.cameras"))}
        {line("screens", t("settings.screens"))}
        {line("hands", t("settings.hands"))}
        {line("reactions", t("settings.reactions"))}
        <h3 className="group-title">{t("settings.chat")}</h3>
        <div className="line">
          <span className="t">
            <b>{t("settings.chatMode")}</b>
          </span>
          <fieldset className="seg" aria-label={t("settings.chatMode")}>
            {MODES.map((mode) => (
              <button key={mode} type="button" aria-pressed={settings.chat === mode} onClick={() => change({ chat: mode })}>
                {modes[mode]}
              </button>
            ))}
          </fieldset>
        </div>
        <div className="line">
          <span className="t">
            <b>{t("settings.slow")}</b>
            <span>{t("settings.slowHint")}</span>
          </span>
          <div className="sel bare narrow">
            <select
              aria-label={t("settings.slow")}
              value={settings.slow_mode_s}
              onChange={(event) => change({ slow_mode_s: Number(event.target.value) })}
            >
              {slow.map((seconds) => (
                <option key={seconds} value={seconds}>
                  {seconds === 0 ? t("settings.slowOff") : t("common.seconds", { count: seconds })}
                </option>
              ))}
            </select>
            <Icon name="down" className="chev" />
          </div>
        </div>
      </div>
    </Modal>
  );
}
