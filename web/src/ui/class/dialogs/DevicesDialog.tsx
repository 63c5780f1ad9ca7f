import { useTranslation } from "react-i18next";
import { DeviceFields } from "../../join/DeviceFields";
import { NetworkLine } from "../../join/NetworkLine";
import { SelfView } from "../../join/SelfView";
import { usePreview } from "../../join/usePreview";
import { Bars } from "../../parts/Bars";
import { Icon } from "../../parts/Icon";
import { Modal } from "../../parts/Modal";
import { useClassroom, useDesk, useView } from "../context";
import "../../join/join.css";

/** Another look at camera, microphone, speaker and network without leaving the class. */
export function DevicesDialog() {
  const { t } = useTranslation();
  const desk = useDesk();
  const { media } = useClassroom();
  const name = useView((view) => view.participants.find((each) => each.id === view.me)?.name ?? "");
  const preview = usePreview({ camera: true, microphone: true });
  const close = () => {
    desk.set({ dialog: null });
    const { camera, microphone, speaker } = preview.chosen;
    void media.chooseDevices({ camera: camera || null, microphone: microphone || null, speaker: speaker || null });
  };
  const problem = preview.problem === "cancelled" ? null : preview.problem;
  return (
    <Modal title={t("devices.title")} open onClose={close} wide>
      <div className="dialog-body flush devices">
        <div className="preview">
          <SelfView track={preview.tracks.camera} starting={preview.starting} name={name} />
        </div>
        <div className="level">
          <Icon name={preview.tracks.microphone ? "mic" : "micOff"} className="i16" />
          <Bars track={preview.tracks.microphone} label={t("join.level")} />
        </div>
        {problem ? <p className="dialog-text s">{t(`device.${problem}`)}</p> : null}
        <div className="pad">
          <DeviceFields preview={preview} />
        </div>
        <NetworkLine auto={false} />
      </div>
      <footer>
        <button type="button" className="btn primary" onClick={close}>
          {t("devices.done")}
        </button>
      </footer>
    </Modal>
  );
}
