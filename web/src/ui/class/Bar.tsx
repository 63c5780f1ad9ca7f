import { Button } from "react-aria-components";
import { useTranslation } from "react-i18next";
import { isStaff, may, me } from "../../state/select";
import { shallow } from "../../state/store";
import { Icon, type IconName } from "../parts/Icon";
import { toast } from "../parts/Toasts";
import { togglePanel, useClassroom, useDesk, useDeskState, useView } from "./context";
import { type Control, useControls } from "./controls";
import { MoreMenu } from "./MoreMenu";
import { ReactMenu } from "./ReactMenu";
import { useNarrow } from "./stage/useNarrow";
import "./bar.css";

interface KeyProps {
  control: Control;
  icon: IconName;
  offIcon?: IconName;
  label: string;
  name: string;
  tone?: "toggle" | "hand";
}

/** A control that says why when it cannot be used, instead of being dead. */
function Key({ control, icon, offIcon, label, name, tone = "toggle" }: KeyProps) {
  if (!control.shown) return null;
  const state = control.blocked ? "blocked" : control.on ? (tone === "hand" ? "raised" : "on") : offIcon ? "off" : "";
  return (
    <button
      type="button"
      className={`c ${state}`}
      aria-label={name}
      aria-pressed={name === label ? undefined : control.on}
      aria-disabled={control.blocked !== null || control.busy}
      title={control.blocked ?? name}
      onClick={() => {
        if (control.blocked) toast(control.blocked, "ask");
        else if (!control.busy) control.press();
      }}
    >
      {control.busy ? <span className="spin small" /> : <Icon name={control.on || !offIcon ? icon : offIcon} />}
      <span>{label}</span>
    </button>
  );
}

function Place() {
  const { t } = useTranslation();
  const own = useView((view) => {
    const person = me(view);
    return {
      role: person?.role ?? "trainee",
      stage: person?.on_stage ?? false,
      large: view.session.profile === "large" || !view.session.settings.auto_stage,
    };
  }, shallow);
  if (own.role === "inspector") {
    return (
      <span className="chip">
        <Icon name="eye" className="i14" />
        {t("class.readonly")}
      </span>
    );
  }
  if (own.role !== "trainee") return <span className="chip accent">{t(`role.${own.role}`)}</span>;
  if (!own.large && own.stage) return null;
  return <span className={`chip ${own.stage ? "accent" : ""}`}>{own.stage ? t("class.onStage") : t("class.audience")}</span>;
}

function Ends() {
  const { t } = useTranslation();
  const desk = useDesk();
  const classroom = useClassroom();
  const { phase, runs, ends } = useView(
    (view) => ({ phase: view.session.phase, runs: may(view, "run_class"), ends: may(view, "end_class") }),
    shallow,
  );
  if (runs && (phase === "scheduled" || phase === "lobby")) {
    return (
      <button type="button" className="btn primary" onClick={() => void classroom.send({ type: "start_class" })}>
        {t("class.start")}
      </button>
    );
  }
  if (ends && phase !== "ended") {
    return (
      <button type="button" className="btn danger solid" onClick={() => desk.set({ dialog: "end" })}>
        {t("class.endForAll")}
      </button>
    );
  }
  return null;
}

export function Bar() {
  const { t } = useTranslation();
  const desk = useDesk();
  const controls = useControls();
  const narrow = useNarrow();
  const staff = useView(isStaff);
  const polls = useView((view) => may(view, "run_polls"));
  const pollShown = useDeskState((state) => state.side && state.panel === "polls");
  const side = useDeskState((state) => state.side);
  const { microphone, camera, screen, hand } = controls;
  return (
    <footer className="bar" role="group" aria-label={t("class.barRegion")}>
      <div className="place hide-s">
        <Place />
      </div>
      <div className="ctl">
        <Key
          control={microphone}
          icon="mic"
          offIcon="micOff"
          label={microphone.on ? t("bar.mute") : t("bar.unmute")}
          name={microphone.on ? t("bar.mute") : t("bar.unmute")}
        />
        <Key
          control={camera}
          icon="cam"
          offIcon="camOff"
          label={t("bar.camera")}
          name={camera.on ? t("bar.cameraOff") : t("bar.cameraOn")}
        />
        {narrow && !staff ? null : (
          <Key
            control={screen}
            icon="share"
            label={screen.on ? t("bar.shareStop") : t("bar.share")}
            name={screen.on ? t("bar.shareStop") : t("bar.shareStart")}
          />
        )}
        <Key
          control={hand}
          icon="hand"
          label={hand.on ? t("bar.handDown") : t("bar.hand")}
          name={hand.on ? t("bar.handDownFull") : t("bar.hand")}
          tone="hand"
        />
        <ReactMenu />
        {polls && !narrow ? (
          <button
            type="button"
            className={`c ${pollShown ? "on" : ""}`}
            aria-pressed={pollShown}
            onClick={() => togglePanel(desk, "polls")}
          >
            <Icon name="poll" />
            <span>{t("bar.poll")}</span>
          </button>
        ) : null}
        <MoreMenu
          trigger={
            <Button className="c">
              <Icon name="more" className="bold" />
              <span>{t("bar.more")}</span>
            </Button>
          }
        />
      </div>
      <div className="end hide-s">
        <button
          type="button"
          className="btn ghost icon-only"
          aria-pressed={side}
          aria-label={side ? t("class.hideSide") : t("class.showSide")}
          title={side ? t("class.hideSide") : t("class.showSide")}
          onClick={() => desk.set({ side: !side })}
        >
          <Icon name="panel" className="i18" />
        </button>
        <Ends />
      </div>
    </footer>
  );
}
