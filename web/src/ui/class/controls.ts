/** What the bottom bar's buttons do and when they may; shared with the keyboard. */
import { useTranslation } from "react-i18next";
import { canShareScreen } from "../../media/devices";
import { may, mayPublish, me, type Permit } from "../../state/select";
import { shallow } from "../../state/store";
import { useClass, useClassroom, useView } from "./context";

export interface Control {
  shown: boolean;
  on: boolean;
  busy: boolean;
  /** Why not, in words; null = may be pressed. */
  blocked: string | null;
  press: () => void;
}

export interface Controls {
  microphone: Control;
  camera: Control;
  screen: Control;
  hand: Control;
}

export function useControls(): Controls {
  const { t } = useTranslation();
  const classroom = useClassroom();
  const media = useClass(
    (state) => ({ microphone: state.media.microphone, camera: state.media.camera, screen: state.media.screen }),
    shallow,
  );
  const view = useView((each) => each);
  const own = me(view);
  const words = (permit: Permit, blocked: string, stage: string): string | null => {
    if (permit.ok) return null;
    if (permit.why === "blocked") return blocked;
    return permit.why === "stage" ? stage : t("bar.notNow");
  };
  const device = (
    what: "microphone" | "camera" | "screen",
    blocked: string,
    stage: string,
    set: (on: boolean) => Promise<void>,
  ): Control => {
    const on = media[what] !== "off";
    const permit = mayPublish(view, what);
    return {
      shown: permit.ok || permit.why !== "role",
      on,
      busy: media[what] === "starting",
      blocked: on ? null : words(permit, blocked, stage),
      press: () => void set(!on),
    };
  };
  const { phase, settings } = view.session;
  const handUp = own?.hand_at != null;
  const handBlocked =
    phase !== "live" ? t("bar.notNow") : settings.frozen ? t("errors.class_frozen") : settings.hands ? null : t("bar.handsOff");
  const screen = device("screen", t("bar.screenBlocked"), t("bar.screenBlocked"), (on) => classroom.media.setScreen(on));
  return {
    microphone: device("microphone", t("bar.micBlocked"), t("bar.micNeedsStage"), (on) => classroom.media.setMicrophone(on)),
    camera: device("camera", t("bar.camBlocked"), t("bar.camNeedsStage"), (on) => classroom.media.setCamera(on)),
    screen: canShareScreen() ? screen : { ...screen, blocked: t("bar.screenUnsupported") },
    hand: {
      shown: may(view, "raise_hand"),
      on: handUp,
      busy: false,
      blocked: handUp ? null : handBlocked,
      press: () => void classroom.send(handUp ? { type: "lower_hand" } : { type: "raise_hand" }),
    },
  };
}
