import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { RATES } from "../../media/replay/player";
import { bestCaptions } from "../../state/replay/extras";
import { useNarrow } from "../class/stage/useNarrow";
import { Icon } from "../parts/Icon";
import { LanguageButton, ThemeButton } from "../parts/Look";
import { toast } from "../parts/Toasts";
import { dayAndTime } from "../parts/time";
import { About, fileName } from "./About";
import { Controls } from "./Controls";
import { useReplay, useReplayState } from "./context";
import { KeysDialog } from "./KeysDialog";
import { usePlayerKeys } from "./keys";
import { Pictures } from "./Pictures";
import { Side, type Tab } from "./Side";
import "./replay.css";

/** The replay of a recording: player, what it is about, and its timeline beside it. */
export function Theatre() {
  const { t, i18n } = useTranslation();
  const replay = useReplay();
  const { content } = replay;
  const narrow = useNarrow();
  const box = useRef<HTMLElement>(null);
  const search = useRef<HTMLInputElement>(null);
  const [sheet, setSheet] = useState(false);
  const [tab, setTab] = useState<Tab>("chat");
  const download = useReplayState((state) => state.extras.download);
  const captions = useReplayState((state) => state.extras.captions);
  const missing = useReplayState((state) => state.view === null && state.complete === false && state.messages.length === 0);
  useEffect(() => replay.setSide(narrow ? 1 : 3), [replay, narrow]);
  // Where the clock stands, for whoever measures a page from outside.
  useEffect(
    () =>
      replay.store.subscribe(() => {
        if (box.current) box.current.dataset.at = String(Math.round(replay.store.get().playing.position));
      }),
    [replay],
  );
  useEffect(() => {
    const before = document.title;
    document.title = `${content.title} · ${t("replay.badge")}`;
    return () => {
      document.title = before;
    };
  }, [content.title, t]);

  const full = () => void (document.fullscreenElement ? document.exitFullscreen() : box.current?.requestFullscreen?.());
  const copy = () => {
    const seconds = Math.floor(replay.store.get().playing.position / 1000);
    navigator.clipboard
      ?.writeText(`${location.origin}${location.pathname}#t=${seconds}`)
      .then(() => toast(t("replay.copied")))
      .catch(() => toast(t("replay.notCopied")));
  };
  const louder = (by: number) => {
    const { volume } = replay.store.get().playing;
    replay.setVolume(Math.max(0, Math.min(1, volume + by)), false);
  };
  const faster = (by: number) => {
    const at = RATES.indexOf(replay.store.get().playing.rate);
    replay.setRate(RATES[Math.max(0, Math.min(RATES.length - 1, at + by))] ?? 1);
  };
  const mute = () => {
    const { volume, muted } = replay.store.get().playing;
    replay.setVolume(volume, !muted);
  };
  const last = useRef<string | null>(null);
  const toggleCaptions = () => {
    const { captions: shown } = replay.store.get();
    last.current = shown ?? last.current ?? bestCaptions(captions, i18n.language)?.language ?? null;
    replay.setCaptions(shown === null ? last.current : null);
  };
  const tenths = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [String(i), () => replay.seek((content.duration_ms * i) / 10)]));
  usePlayerKeys({
    ...tenths,
    " ": replay.toggle,
    k: replay.toggle,
    j: () => replay.step(-10_000),
    l: () => replay.step(10_000),
    arrowleft: () => replay.step(-5_000),
    arrowright: () => replay.step(5_000),
    arrowup: () => louder(0.1),
    arrowdown: () => louder(-0.1),
    "<": () => faster(-1),
    ">": () => faster(1),
    m: mute,
    f: full,
    ...(captions.length > 0 ? { c: toggleCaptions } : {}),
    a: () => replay.setAudioOnly(!replay.store.get().audioOnly),
    "/": () => {
      setTab("chat");
      requestAnimationFrame(() => search.current?.focus());
    },
    "?": () => setSheet(true),
  });

  return (
    <div className="rp">
      <header className="top">
        <div className="brand hide-s">{t("app.badge")}</div>
        <h1>{content.title}</h1>
        <span className="chip accent">{t("replay.badge")}</span>
        <span className="muted num s hide-m rp-when">{dayAndTime(content.started_at, i18n.language)}</span>
        <div className="grow" />
        <ThemeButton />
        <LanguageButton />
        {download ? (
          <a
            className="btn sm rp-down"
            href={replay.extra(download.file)}
            download={fileName(content.title)}
            aria-label={t("replay.download")}
          >
            <Icon name="download" className="i16" />
          </a>
        ) : null}
        <button type="button" className="btn sm rp-share" onClick={copy} aria-label={t("replay.copyLink")}>
          <Icon name="link" className="i16" />
          <span className="hide-s">{t("replay.copyLink")}</span>
        </button>
      </header>
      <main className="rp-main">
        <section ref={box} className="rp-player" aria-label={t("replay.player")}>
          <Pictures />
          <Controls onFull={full} onMute={mute} onKeys={() => setSheet(true)} />
        </section>
        <About />
      </main>
      <Side tab={tab} onTab={setTab} search={search} missing={missing} />
      <KeysDialog captions={captions.length > 0} open={sheet} onClose={() => setSheet(false)} />
    </div>
  );
}
