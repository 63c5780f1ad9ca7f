import { useState } from "react";
import { useTranslation } from "react-i18next";
import { me } from "../../state/select";
import { shallow } from "../../state/store";
import { useSeat } from "../class/checks/useOwn";
import { useClassroom, useView } from "../class/context";
import { SpeakerTest } from "../join/DeviceFields";
import { intentOf } from "../join/intent";
import { NetworkLine } from "../join/NetworkLine";
import { SelfView } from "../join/SelfView";
import { usePreview } from "../join/usePreview";
import { Bars } from "../parts/Bars";
import { Icon } from "../parts/Icon";
import { LanguageButton, ThemeButton } from "../parts/Look";
import { clock, dayAndTime, timeOfDay, useNow } from "../parts/time";
import "../join/join.css";
import "./waiting.css";

function Steps({ startsAt }: { startsAt: number | null }) {
  const { t, i18n } = useTranslation();
  const [since] = useState(() => Date.now());
  const waited = clock(useNow() - since);
  return (
    <ol className="steps num">
      <li className="done">
        {t("waiting.steps.devices")}
        <span>{t("waiting.steps.devicesDone")}</span>
      </li>
      <li className="now" aria-current="step">
        {t("waiting.steps.room")}
        <span aria-hidden="true">{t("waiting.steps.waited", { time: waited })}</span>
      </li>
      <li>
        {t("waiting.steps.class")}
        <span>{startsAt ? t("waiting.steps.startsAt", { time: timeOfDay(startsAt, i18n.language) }) : t("waiting.steps.soon")}</span>
      </li>
    </ol>
  );
}

function Devices({ name }: { name: string }) {
  const { t } = useTranslation();
  const seat = useSeat();
  // Who chose to listen only, or not to be seen, is not asked for devices here either.
  const [wanted] = useState(() => (seat === null ? null : intentOf(seat)) ?? { camera: true, microphone: true });
  const preview = usePreview(wanted);
  const { tracks, devices, chosen, choose } = preview;
  const label = tracks.microphone?.label || t("join.microphone");
  return (
    <section className="card self" aria-label={t("waiting.myDevices")}>
      <div className="preview">
        <SelfView track={tracks.camera} starting={preview.starting && preview.wanted.camera} name={name} />
      </div>
      <div className="r">
        <div className="line">
          <div className={`ico ${tracks.microphone ? "ok" : ""}`}>
            <Icon name={tracks.microphone ? "mic" : "micOff"} />
          </div>
          <div className="t">
            <b className="ellipsis">{tracks.microphone ? label : t("join.levelOff")}</b>
            <Bars track={tracks.microphone} label={t("join.level")} />
          </div>
        </div>
        <div className="line">
          <div className="ico ok">
            <Icon name="speaker" />
          </div>
          <div className="t">
            <b>{t("join.speaker")}</b>
            <div className="sel bare mini">
              <select aria-label={t("join.speaker")} value={chosen.speaker} onChange={(event) => choose("speaker", event.target.value)}>
                <option value="">{t("join.defaultSpeaker")}</option>
                {devices.speakers
                  .filter((each) => each.deviceId !== "default")
                  .map((each, i) => (
                    <option key={each.deviceId} value={each.deviceId}>
                      {each.label || t("join.unnamedSpeaker", { n: i + 1 })}
                    </option>
                  ))}
              </select>
              <Icon name="down" className="chev" />
            </div>
          </div>
          <SpeakerTest speaker={chosen.speaker} />
        </div>
        <NetworkLine auto />
      </div>
    </section>
  );
}

/** The waiting room: what is going on, and a device check meanwhile. Entering needs nothing from the person. */
export function Waiting() {
  const { t, i18n } = useTranslation();
  const classroom = useClassroom();
  const facts = useView(
    (view) => ({
      title: view.session.title,
      profile: view.session.profile,
      phase: view.session.phase,
      startsAt: view.session.starts_at,
      name: me(view)?.name ?? "",
    }),
    shallow,
  );
  const reconnecting = useView((_, state) => state.status === "reconnecting");
  const leave = () => void classroom.leave();
  return (
    <div className="waiting-page">
      <header className="top">
        <div className="brand">{t("app.badge")}</div>
        <h1>{facts.title}</h1>
        <span className="chip accent hide-s">{t("waiting.chip")}</span>
        <div className="grow" />
        <ThemeButton />
        <LanguageButton />
        <button type="button" className="btn danger sm hide-s" onClick={leave}>
          {t("waiting.leave")}
        </button>
      </header>
      <main className="wait-wrap">
        <div className="col">
          <section className="card hero-card" role="status" aria-live="polite">
            <div className="pulse">
              <Icon name="door" />
            </div>
            <div>
              <h2>{t("waiting.title")}</h2>
              <p>{reconnecting ? t("class.reconnecting") : t("waiting.lead")}</p>
            </div>
            <Steps startsAt={facts.startsAt} />
          </section>
          <Devices name={facts.name} />
        </div>
        <div className="col">
          <section className="card pad about-card">
            <h2>{t("waiting.info")}</h2>
            <p className="title">{facts.title}</p>
            <ul>
              <li>
                <Icon name="people" className="i18" />
                {t(`profile.${facts.profile}`)} · {t(`phase.${facts.phase}`)}
              </li>
              {facts.startsAt ? (
                <li className="num">
                  <Icon name="time" className="i18" />
                  {dayAndTime(facts.startsAt, i18n.language)}
                </li>
              ) : null}
              <li>
                <Icon name="user" className="i18" />
                <span className="ellipsis">{facts.name}</span>
              </li>
            </ul>
          </section>
          <div className="consent">
            <Icon name="rec" className="i18" />
            <div>
              <b>{t("join.supervised")}</b>
              <p>{t("join.supervisedHint")}</p>
            </div>
          </div>
        </div>
      </main>
      <div className="dock">
        <button type="button" className="btn danger big" onClick={leave}>
          {t("waiting.leave")}
        </button>
      </div>
    </div>
  );
}
