import { useState } from "react";
import { useTranslation } from "react-i18next";
import { chime } from "../../media/level";
import { Icon, type IconName } from "../parts/Icon";
import type { Preview } from "./usePreview";

type Unnamed = "join.unnamedCamera" | "join.unnamedMicrophone" | "join.unnamedSpeaker";

function Pick(props: {
  icon: IconName;
  label: string;
  value: string;
  none: string;
  list: MediaDeviceInfo[];
  unnamed: Unnamed;
  onPick: (id: string) => void;
}) {
  const { t } = useTranslation();
  const known = props.value === "" || props.list.some((device) => device.deviceId === props.value);
  return (
    <div className="sel">
      <Icon name={props.icon} />
      <select aria-label={props.label} value={known ? props.value : ""} onChange={(event) => props.onPick(event.target.value)}>
        {props.list.map((device, i) => (
          <option key={device.deviceId} value={device.deviceId}>
            {device.label || t(props.unnamed, { n: i + 1 })}
          </option>
        ))}
        <option value="">{props.none}</option>
      </select>
      <Icon name="down" className="chev" />
    </div>
  );
}

export function SpeakerTest({ speaker }: { speaker: string }) {
  const { t } = useTranslation();
  const [playing, setPlaying] = useState(false);
  const play = () => {
    setPlaying(true);
    chime(speaker || null)
      .catch(() => undefined)
      .finally(() => setPlaying(false));
  };
  return (
    <button type="button" className="btn sm" onClick={play} disabled={playing}>
      {playing ? t("join.testing") : t("join.test")}
    </button>
  );
}

/** The three device menus and the speaker test. */
export function DeviceFields({ preview }: { preview: Preview }) {
  const { t } = useTranslation();
  const { devices, chosen, choose } = preview;
  return (
    <div className="fields">
      <div className="field">
        <span>{t("join.camera")}</span>
        <Pick
          icon="cam"
          label={t("join.camera")}
          value={chosen.camera}
          none={t("join.noCamera")}
          list={devices.cameras}
          unnamed="join.unnamedCamera"
          onPick={(id) => choose("camera", id)}
        />
      </div>
      <div className="field">
        <span>{t("join.microphone")}</span>
        <Pick
          icon="mic"
          label={t("join.microphone")}
          value={chosen.microphone}
          none={t("join.noMicrophone")}
          list={devices.microphones}
          unnamed="join.unnamedMicrophone"
          onPick={(id) => choose("microphone", id)}
        />
      </div>
      <div className="field">
        <span>{t("join.speaker")}</span>
        <div className="pair">
          <Pick
            icon="speaker"
            label={t("join.speaker")}
            value={chosen.speaker}
            none={t("join.defaultSpeaker")}
            list={devices.speakers.filter((each) => each.deviceId !== "default")}
            unnamed="join.unnamedSpeaker"
            onPick={(id) => choose("speaker", id)}
          />
          <SpeakerTest speaker={chosen.speaker} />
        </div>
      </div>
    </div>
  );
}
