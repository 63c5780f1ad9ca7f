import { lazy, Suspense } from "react";
import { useTranslation } from "react-i18next";
import { may } from "../../../state/select";
import { Confirm } from "../../parts/Modal";
import { useClassroom, useDesk, useDeskState, useView } from "../context";
import { PollComposer } from "./PollComposer";
import { PrefsDialog } from "./PrefsDialog";
import { SettingsDialog } from "./SettingsDialog";
import { ShortcutsDialog } from "./ShortcutsDialog";

const DevicesDialog = lazy(() => import("./DevicesDialog").then((module) => ({ default: module.DevicesDialog })));

function LeaveDialog() {
  const { t } = useTranslation();
  const classroom = useClassroom();
  const desk = useDesk();
  const ends = useView((view) => may(view, "end_class") && view.session.phase !== "ended");
  return (
    <Confirm
      title={t("class.leaveTitle")}
      text={t("class.leaveText")}
      action={t("class.leave")}
      open
      onClose={() => desk.set({ dialog: null })}
      onConfirm={() => void classroom.leave()}
      extra={
        ends ? (
          <button type="button" className="btn danger" onClick={() => desk.set({ dialog: "end" })}>
            {t("class.endForAll")}
          </button>
        ) : null
      }
    />
  );
}

function EndDialog() {
  const { t } = useTranslation();
  const classroom = useClassroom();
  const desk = useDesk();
  return (
    <Confirm
      title={t("class.endTitle")}
      text={t("class.endText")}
      action={t("class.endForAll")}
      open
      onClose={() => desk.set({ dialog: null })}
      onConfirm={() => void classroom.send({ type: "end_class" })}
    />
  );
}

function RecordDialog() {
  const { t } = useTranslation();
  const classroom = useClassroom();
  const desk = useDesk();
  const recorded = useView((view) => view.session.recorded_since !== null);
  return (
    <Confirm
      title={recorded ? t("class.recordStopTitle") : t("class.recordStartTitle")}
      text={recorded ? t("class.recordStopText") : t("class.recordStartText")}
      action={recorded ? t("more.recordStop") : t("more.recordStart")}
      open
      onClose={() => desk.set({ dialog: null })}
      onConfirm={() => void classroom.send({ type: recorded ? "stop_recording" : "start_recording" })}
    />
  );
}

function Sanction() {
  const { t } = useTranslation();
  const classroom = useClassroom();
  const desk = useDesk();
  const what = useDeskState((state) => state.confirm);
  if (!what) return null;
  const close = () => desk.set({ confirm: null });
  if (what.kind === "delete") {
    return (
      <Confirm
        title={t("chat.deleteTitle")}
        action={t("chat.delete")}
        open
        onClose={close}
        onConfirm={() => void classroom.send({ type: "delete_chat", message: what.id })}
      />
    );
  }
  const ban = what.kind === "ban";
  return (
    <Confirm
      title={ban ? t("people.banTitle", { name: what.name }) : t("people.removeTitle", { name: what.name })}
      text={ban ? t("people.banText") : t("people.removeText")}
      action={ban ? t("people.ban") : t("people.remove")}
      open
      onClose={close}
      onConfirm={() => void classroom.send({ type: "remove", participant: what.id, ban })}
    />
  );
}

/** Whichever dialog is open. */
export function Dialogs() {
  const dialog = useDeskState((state) => state.dialog);
  return (
    <>
      {dialog === "leave" ? <LeaveDialog /> : null}
      {dialog === "end" ? <EndDialog /> : null}
      {dialog === "record" ? <RecordDialog /> : null}
      {dialog === "settings" ? <SettingsDialog /> : null}
      {dialog === "prefs" ? <PrefsDialog /> : null}
      {dialog === "shortcuts" ? <ShortcutsDialog /> : null}
      {dialog === "poll" ? <PollComposer /> : null}
      {dialog === "devices" ? (
        <Suspense fallback={null}>
          <DevicesDialog />
        </Suspense>
      ) : null}
      <Sanction />
    </>
  );
}
