import { type FormEvent, useCallback, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Phase, Profile, Role } from "../../protocol/types";
import { Bars } from "../parts/Bars";
import { Icon } from "../parts/Icon";
import { LanguageButton, ThemeButton } from "../parts/Look";
import { DeviceFields } from "./DeviceFields";
import type { Intent } from "./intent";
import { NetworkLine } from "./NetworkLine";
import { SelfView } from "./SelfView";
import { usePreview } from "./usePreview";
import "./join.css";

export interface PrejoinProps {
  /** What is known of the class; null while only an invitation is held. */
  info: { title: string; profile: Profile; phase: Phase; role: Role; name: string; recorded?: boolean } | null;
  problem: string | null;
  onEnter: (name: string, intent: Intent) => Promise<void>;
  /** With an invitation: takes a seat under this name, which the network check needs; false when refused. */
  onSit?: (name: string) => Promise<boolean>;
}

const NAME_LIMIT = 64;

function Permission({ problem, onRetry }: { problem: "denied" | "missing" | "busy" | "insecure"; onRetry: () => void }) {
  const { t } = useTranslation();
  return (
    <div className="line" role="status">
      <div className="ico warn">
        <Icon name="warn" />
      </div>
      <div className="t">
        <b>{t(`join.${problem}`)}</b>
        <span>{t(`join.${problem}Hint`)}</span>
      </div>
      {problem === "insecure" ? null : (
        <button type="button" className="btn sm" onClick={onRetry}>
          {t("common.retry")}
        </button>
      )}
    </div>
  );
}

/** Everything before the class page: who, with which devices, over which network. Usable without any device or permission. */
export function Prejoin({ info, problem, onEnter, onSit }: PrejoinProps) {
  const { t } = useTranslation();
  const canSpeak = info?.role !== "inspector";
  const preview = usePreview({ camera: canSpeak, microphone: canSpeak });
  const [name, setName] = useState(info?.name ?? "");
  const [missing, setMissing] = useState(false);
  const nameField = useRef<HTMLInputElement>(null);
  const [busy, setBusy] = useState(false);
  const [heard, setHeard] = useState(false);
  const onHeard = useCallback(() => setHeard(true), []);
  const { wanted, tracks, usable } = preview;
  const listener = !wanted.camera && !wanted.microphone;
  const deviceProblem = preview.problem === "failed" || preview.problem === "cancelled" ? "busy" : preview.problem;

  const enter = (event: FormEvent) => {
    event.preventDefault();
    if (!name.trim()) {
      setMissing(true);
      nameField.current?.focus();
      return;
    }
    setBusy(true);
    const intent = { ...usable, listener };
    void onEnter(name.trim(), intent).finally(() => setBusy(false));
  };
  const sit = async () => {
    if (info || !onSit) return true;
    if (name.trim()) return onSit(name.trim());
    setMissing(true);
    nameField.current?.focus();
    return false;
  };
  const levelText = tracks.microphone ? (heard ? t("join.levelGood") : t("join.levelQuiet")) : t("join.levelOff");
  const button = busy ? t("join.entering") : t("join.enter");

  return (
    <form className="join" onSubmit={enter} noValidate>
      <header className="top">
        <div className="brand">{t("app.badge")}</div>
        <h1>{info?.title ?? t("join.title")}</h1>
        {info ? <span className="chip accent hide-s">{t(`phase.${info.phase}`)}</span> : null}
        <div className="grow" />
        <ThemeButton />
        <LanguageButton />
      </header>
      <main className="wrap">
        <div className="col">
          <section className="card o1" aria-label={t("join.preview")}>
            <div className="preview">
              <SelfView track={tracks.camera} starting={preview.starting && wanted.camera} name={name} />
              {name ? <span className="glass bl ellipsis">{name}</span> : null}
              {canSpeak ? (
                <div className="round">
                  <button
                    type="button"
                    className={usable.microphone ? "" : "off"}
                    aria-label={wanted.microphone ? t("join.micOff") : t("join.micOn")}
                    onClick={() => preview.toggle("microphone")}
                  >
                    <Icon name={usable.microphone ? "mic" : "micOff"} />
                  </button>
                  <button
                    type="button"
                    className={usable.camera ? "" : "off"}
                    aria-label={wanted.camera ? t("join.camOff") : t("join.camOn")}
                    onClick={() => preview.toggle("camera")}
                  >
                    <Icon name={usable.camera ? "cam" : "camOff"} />
                  </button>
                </div>
              ) : null}
            </div>
            <div className="level">
              <Icon name={tracks.microphone ? "mic" : "micOff"} className="i16" />
              <Bars track={tracks.microphone} label={t("join.level")} onHeard={onHeard} />
              <span className={heard && tracks.microphone ? "good" : "muted"}>{levelText}</span>
            </div>
          </section>
          <section className="card o3" aria-label={t("join.devices")}>
            {deviceProblem ? <Permission problem={deviceProblem} onRetry={preview.again} /> : null}
            <div className="pad">
              <DeviceFields preview={preview} />
            </div>
            {canSpeak ? (
              <label className="line tap">
                <div className="ico">
                  <Icon name="headphones" />
                </div>
                <div className="t">
                  <b>{t("join.listener")}</b>
                  <span>{t("join.listenerHint")}</span>
                </div>
                <input
                  className="switch"
                  type="checkbox"
                  role="switch"
                  checked={listener}
                  onChange={(event) => preview.listen(event.target.checked)}
                />
              </label>
            ) : null}
            <NetworkLine auto={info !== null} prepare={sit} />
          </section>
        </div>
        <div className="col">
          <section className="card pad enter o2">
            {info ? (
              <div className="about">
                <div className="chips">
                  <span className="chip accent">{t(`profile.${info.profile}`)}</span>
                  <span className="chip">{t("join.roleChip", { role: t(`role.${info.role}`) })}</span>
                  {info.recorded ? (
                    <span className="chip signal" role="status">
                      <Icon name="rec" className="i14" />
                      {t("class.recorded")}
                    </span>
                  ) : null}
                </div>
                <h2>{info.title}</h2>
              </div>
            ) : (
              <h2>{t("join.title")}</h2>
            )}
            <label className="field">
              <span>{t("join.name")}</span>
              <input
                ref={nameField}
                className="in"
                value={name}
                maxLength={NAME_LIMIT}
                readOnly={info !== null}
                placeholder={t("join.namePlaceholder")}
                autoComplete="name"
                aria-describedby="name-hint"
                aria-invalid={missing}
                onChange={(event) => {
                  setName(event.target.value);
                  setMissing(false);
                }}
              />
              <span id="name-hint" className={`xs ${missing ? "bad" : ""}`} role={missing ? "alert" : undefined}>
                {missing ? t("join.nameMissing") : t("join.nameHint")}
              </span>
            </label>
            <div className="consent">
              <Icon name="rec" className="i18" />
              <div>
                <b>{t("join.supervised")}</b>
                <p>{t("join.supervisedHint")}</p>
              </div>
            </div>
            {problem ? (
              <p className="refusal" role="alert">
                <Icon name="warn" className="i16" />
                {problem}
              </p>
            ) : null}
            <button type="submit" className="btn primary big hide-s" disabled={busy}>
              {button}
            </button>
          </section>
        </div>
      </main>
      <div className="dock">
        <p>
          <i />
          {t("join.supervisedShort")}
        </p>
        <div>
          {canSpeak ? (
            <>
              <button
                type="button"
                className={`btn big sq ${usable.microphone ? "" : "off"}`}
                aria-label={wanted.microphone ? t("join.micOff") : t("join.micOn")}
                onClick={() => preview.toggle("microphone")}
              >
                <Icon name={usable.microphone ? "mic" : "micOff"} />
              </button>
              <button
                type="button"
                className={`btn big sq ${usable.camera ? "" : "off"}`}
                aria-label={wanted.camera ? t("join.camOff") : t("join.camOn")}
                onClick={() => preview.toggle("camera")}
              >
                <Icon name={usable.camera ? "cam" : "camOff"} />
              </button>
            </>
          ) : null}
          <button type="submit" className="btn primary big" disabled={busy}>
            {button}
          </button>
        </div>
      </div>
    </form>
  );
}
