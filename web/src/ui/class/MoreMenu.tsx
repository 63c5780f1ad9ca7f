import type { ReactElement } from "react";
import { useTranslation } from "react-i18next";
import { isStaff, may, me } from "../../state/select";
import { shallow } from "../../state/store";
import { type Action, ActionMenu } from "../parts/ActionMenu";
import { useClassroom, useDesk, useView } from "./context";
import { useControls } from "./controls";
import { useNarrow } from "./stage/useNarrow";

const BREAKS = [5, 10, 15];

/** Everything that needs no place of its own on the bar. */
export function MoreMenu({ trigger }: { trigger: ReactElement }) {
  const { t } = useTranslation();
  const desk = useDesk();
  const classroom = useClassroom();
  const narrow = useNarrow();
  const controls = useControls();
  const is = useView(
    (view) => ({
      staff: isStaff(view),
      runs: may(view, "run_class"),
      ends: may(view, "end_class"),
      mutes: may(view, "moderate_media"),
      polls: may(view, "run_polls"),
      publishes: may(view, "publish"),
      records: may(view, "record") && view.session.phase !== "ended",
      recorded: view.session.recorded_since !== null,
      phase: view.session.phase,
      staged: me(view)?.on_stage === true && !isStaff(view) && !view.session.settings.auto_stage,
    }),
    shallow,
  );
  const actions: (Action | null)[] = [];
  const add = (show: boolean, action: Action) => {
    if (show) actions.push(action);
  };
  const line = () => {
    if (actions.length > 0 && actions.at(-1) !== null) actions.push(null);
  };
  add(narrow && is.polls, { id: "poll", label: t("polls.new"), icon: "poll", run: () => desk.set({ dialog: "poll" }) });
  add(narrow && !is.staff && controls.screen.shown && !controls.screen.blocked, {
    id: "share",
    label: controls.screen.on ? t("bar.shareStop") : t("bar.shareStart"),
    icon: "share",
    run: controls.screen.press,
  });
  add(is.mutes, { id: "mute-all", label: t("more.muteAll"), icon: "micOff", run: () => void classroom.send({ type: "mute_all" }) });
  if (is.runs && is.phase === "live") {
    for (const minutes of BREAKS) {
      add(true, {
        id: `break-${minutes}`,
        label: t("more.breakMinutes", { count: minutes }),
        icon: "cup",
        run: () => void classroom.send({ type: "take_break", minutes }),
      });
    }
  }
  add(is.runs && is.phase === "break", {
    id: "resume",
    label: t("more.endBreak"),
    icon: "cup",
    run: () => void classroom.send({ type: "resume_class" }),
  });
  add(is.records, {
    id: "record",
    label: is.recorded ? t("more.recordStop") : t("more.recordStart"),
    icon: "rec",
    run: () => desk.set({ dialog: "record" }),
  });
  add(is.runs, { id: "settings", label: t("more.settings"), icon: "gear", run: () => desk.set({ dialog: "settings" }) });
  line();
  add(is.staged, { id: "leave-stage", label: t("bar.leaveStage"), icon: "exit", run: () => void classroom.send({ type: "leave_stage" }) });
  add(is.publishes, { id: "devices", label: t("more.devices"), icon: "cam", run: () => desk.set({ dialog: "devices" }) });
  add(true, { id: "look", label: t("more.appearance"), icon: "globe", run: () => desk.set({ dialog: "prefs" }) });
  add(!narrow, { id: "keys", label: t("more.shortcuts"), icon: "keys", keys: "?", run: () => desk.set({ dialog: "shortcuts" }) });
  if (narrow && is.ends && is.phase !== "ended") {
    line();
    add(true, { id: "end", label: t("more.endClass"), icon: "exit", bad: true, run: () => desk.set({ dialog: "end" }) });
  }
  return <ActionMenu label={t("more.title")} actions={actions} trigger={trigger} placement="top" />;
}
