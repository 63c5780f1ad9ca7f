import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import { keepAwake } from "../../media/wakelock";
import { Banner } from "./Banner";
import { Bar } from "./Bar";
import { CheckCard, useAnswer } from "./checks/CheckCard";
import { CheckCount } from "./checks/CheckCount";
import { togglePanel, useDesk, useDeskState } from "./context";
import { useControls } from "./controls";
import { Dialogs } from "./dialogs/Dialogs";
import { useKeys } from "./keys";
import { Side } from "./Side";
import { Stage } from "./stage/Stage";
import { TopBar } from "./TopBar";
import "./room.css";

/** The class page of somebody who is inside. */
export function Room() {
  const { t } = useTranslation();
  const desk = useDesk();
  const side = useDeskState((state) => state.side);
  const controls = useControls();
  const answerCheck = useAnswer();
  const press = (name: keyof typeof controls) => () => {
    const control = controls[name];
    if (control.shown && !control.blocked && !control.busy) control.press();
  };
  useKeys({
    m: press("microphone"),
    v: press("camera"),
    r: press("hand"),
    d: press("screen"),
    c: () => togglePanel(desk, "chat"),
    p: () => togglePanel(desk, "people"),
    k: answerCheck,
    "?": () => desk.set({ dialog: "shortcuts" }),
  });
  useEffect(keepAwake, []);
  return (
    <div className={`room ${side ? "" : "no-side"}`}>
      <a className="btn skip" href="#tab-chat">
        {t("class.skip")}
      </a>
      <CheckCard />
      <TopBar />
      <Banner />
      <CheckCount />
      <main style={{ display: "contents" }}>
        <Stage />
        <Side />
      </main>
      <Bar />
      <Dialogs />
    </div>
  );
}
