import { useEffect, useState } from "react";
import { Button } from "react-aria-components";
import { useTranslation } from "react-i18next";
import { RATES } from "../../media/replay/player";
import { shallow } from "../../state/store";
import { ActionMenu } from "../parts/ActionMenu";
import { Icon, type IconName } from "../parts/Icon";
import { clock } from "../parts/time";
import { useReplay, useReplayState } from "./context";
import { Seek } from "./Seek";
import { useChapterName } from "./words";

function Press(props: { icon: IconName; label: string; onPress: () => void; className?: string; pressed?: boolean; text?: string }) {
  return (
    <button
      type="button"
      className={`${props.className ?? ""} ${props.pressed ? "on" : ""}`}
      aria-label={props.label}
      title={props.label}
      aria-pressed={props.pressed}
      onClick={props.onPress}
    >
      <Icon name={props.icon} />
      {props.text ? <span className="hide-m">{props.text}</span> : null}
    </button>
  );
}

/** Seek bar and buttons under the picture. */
export function Controls({ onFull, onMute, onKeys }: { onFull: () => void; onMute: () => void; onKeys: () => void }) {
  const { t } = useTranslation();
  const replay = useReplay();
  const { content } = replay;
  const nameOf = useChapterName();
  const is = useReplayState(
    ({ playing, audioOnly }) => ({
      playing: playing.playing,
      ended: playing.ended,
      muted: playing.muted || playing.volume === 0,
      volume: playing.volume,
      rate: playing.rate,
      audioOnly,
    }),
    shallow,
  );
  const second = useReplayState((state) => Math.floor(state.playing.position / 1000));
  const chapters = useReplayState((state) => state.chapters);
  const at = second * 1000;
  const now = chapters.findLast((each) => each.from_ms <= at);
  const inFull = useFull();
  const go = (ahead: boolean) => {
    const next = ahead ? chapters.find((each) => each.from_ms > at + 500) : chapters.findLast((each) => each.from_ms < at - 2_000);
    replay.seek(next?.from_ms ?? (ahead ? content.duration_ms : 0));
  };
  return (
    <div className="rp-ctrl num">
      <Seek />
      <div className="rp-btns">
        <button
          type="button"
          className="rp-play"
          aria-label={is.ended ? t("replay.again") : is.playing ? t("replay.pause") : t("replay.play")}
          onClick={replay.toggle}
        >
          <Icon name={is.ended ? "back" : is.playing ? "pause" : "play"} />
        </button>
        {chapters.length > 1 ? <Press className="hide-m" icon="left" label={t("replay.previous")} onPress={() => go(false)} /> : null}
        <Press icon="back" label={t("replay.back")} onPress={() => replay.step(-10_000)} />
        <Press icon="ahead" label={t("replay.ahead")} onPress={() => replay.step(10_000)} />
        {chapters.length > 1 ? <Press className="hide-m" icon="right" label={t("replay.next")} onPress={() => go(true)} /> : null}
        <Press
          className="hide-s"
          icon={is.muted ? "mute" : "speaker"}
          label={is.muted ? t("replay.unmute") : t("replay.mute")}
          onPress={onMute}
        />
        <input
          className="rp-vol hide-m"
          type="range"
          min={0}
          max={1}
          step={0.05}
          aria-label={t("replay.volume")}
          value={is.muted ? 0 : is.volume}
          onChange={(event) => replay.setVolume(Number(event.target.value), false)}
        />
        <span className="rp-time">
          <b>{clock(at)}</b> / {clock(content.duration_ms)}
        </span>
        {now ? <span className="rp-now ellipsis hide-m">{nameOf(now)}</span> : null}
        <div className="grow" />
        <ActionMenu
          label={t("replay.speed")}
          placement="top end"
          trigger={
            <Button className="rp-speed" aria-label={`${t("replay.speed")} ${is.rate}×`}>
              {is.rate}×
            </Button>
          }
          actions={RATES.map((rate) => ({
            id: String(rate),
            label: `${rate}×`,
            icon: rate === is.rate ? "ok" : "time",
            run: () => replay.setRate(rate),
          }))}
        />
        <CaptionsButton />
        <Press
          icon="headphones"
          label={t("replay.audioOnly")}
          pressed={is.audioOnly}
          text={t("replay.audioOnly")}
          onPress={() => replay.setAudioOnly(!is.audioOnly)}
        />
        <Press className="hide-s" icon="keys" label={t("replay.keys")} onPress={onKeys} />
        <Press icon="full" label={inFull ? t("replay.leaveFull") : t("replay.full")} onPress={onFull} />
      </div>
    </div>
  );
}

/** Captions on and off, or a choice of languages where there are several. */
function CaptionsButton() {
  const { t } = useTranslation();
  const replay = useReplay();
  const all = useReplayState((state) => state.extras.captions);
  const shown = useReplayState((state) => state.captions);
  const [only, ...others] = all;
  if (!only) return null;
  if (others.length === 0) {
    return (
      <Press
        icon="captions"
        label={t("replay.captions")}
        pressed={shown !== null}
        onPress={() => replay.setCaptions(shown === null ? only.language : null)}
      />
    );
  }
  const name = all.find((each) => each.language === shown)?.label ?? t("replay.captionsOff");
  return (
    <ActionMenu
      label={t("replay.captions")}
      placement="top end"
      trigger={
        <Button className={shown === null ? "" : "on"} aria-label={`${t("replay.captions")}: ${name}`}>
          <Icon name="captions" />
        </Button>
      }
      actions={[
        { id: "", label: t("replay.captionsOff"), icon: shown === null ? "ok" : "cross", run: () => replay.setCaptions(null) },
        ...all.map((each) => ({
          id: each.language,
          label: each.label,
          icon: each.language === shown ? ("ok" as const) : ("captions" as const),
          run: () => replay.setCaptions(each.language),
        })),
      ]}
    />
  );
}

function useFull(): boolean {
  const [full, setFull] = useState(false);
  useEffect(() => {
    const look = () => setFull(document.fullscreenElement !== null);
    document.addEventListener("fullscreenchange", look);
    return () => document.removeEventListener("fullscreenchange", look);
  }, []);
  return full;
}
