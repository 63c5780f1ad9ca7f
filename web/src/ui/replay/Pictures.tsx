import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Tile } from "../../state/replay/tiles";
import { cuesAt, plain } from "../../state/replay/vtt";
import { Avatar } from "../parts/Avatar";
import { Icon } from "../parts/Icon";
import { nameOf, useReplay, useReplayState } from "./context";

/** The large picture and the people beside it. Tiles keep their element when they change places, so a picture never starts anew. */
export function Pictures() {
  const { t } = useTranslation();
  const tiles = useReplayState((state) => state.tiles);
  const waiting = useReplayState((state) => state.playing.waiting);
  const silent = useReplayState((state) => state.playing.silent);
  const hasMix = useReplay().content.mix !== undefined;
  const main = tiles.some((tile) => tile.place === "main");
  const sides = tiles.filter((tile) => tile.place === "side");
  const ordered = [...tiles].sort((a, b) => (a.key < b.key ? -1 : 1));
  return (
    <div className={`rp-view ${sides.length > 0 ? "with-side" : ""}`}>
      {main ? null : <Nobody />}
      {ordered.map((tile) => (
        <Picture key={tile.key} tile={tile} row={sides.indexOf(tile)} />
      ))}
      <Captions />
      {waiting ? (
        <div className="rp-wait" role="status">
          <div className="spin" />
          <span className="sr">{t("replay.waiting")}</span>
        </div>
      ) : null}
      {silent && hasMix ? (
        <p className="rp-note" role="status">
          <Icon name="mute" className="i16" />
          {t("replay.silent")}
        </p>
      ) : null}
    </div>
  );
}

/** What is being said, over the picture; it is read with the eyes, so no live region. */
function Captions() {
  const language = useReplayState((state) => state.captions);
  const words = useReplayState((state) =>
    cuesAt(state.cues, state.playing.position)
      .map((cue) => plain(cue.text))
      .join("\n"),
  );
  return language !== null && words ? (
    <p className="rp-cap" lang={language} dir="auto">
      {words}
    </p>
  ) : null;
}

function Picture({ tile, row }: { tile: Tile; row: number }) {
  const { t } = useTranslation();
  const replay = useReplay();
  const video = useRef<HTMLVideoElement>(null);
  const [stale, setStale] = useState(false);
  const name = useReplayState((state) => nameOf(state.view?.people, tile.participant));
  const hand = useReplayState((state) => state.view?.people[tile.participant]?.hand !== undefined);
  const pinned = useReplayState((state) => state.pinned === tile.track);
  const latest = useRef(tile);
  latest.current = tile;
  // A tile's file is its key: another file is another element.
  useEffect(() => (video.current ? replay.attach(video.current, latest.current, setStale) : undefined), [replay]);
  const label = t(tile.source === "screen" ? "replay.screenOf" : "replay.pictureOf", { name });
  const act = pinned ? t("replay.restore") : t("replay.enlarge", { name: label });
  return (
    <figure className={`rp-tile ${tile.place} ${tile.source}`} style={row >= 0 ? { gridRow: row + 1 } : undefined}>
      <video
        ref={video}
        data-from={tile.span.from_ms}
        data-track={tile.track}
        muted
        playsInline
        preload="auto"
        aria-label={label}
        tabIndex={-1}
      />
      {stale && tile.source === "camera" ? <Avatar id={tile.participant} name={name} className="rp-still" /> : null}
      {tile.place === "ready" ? null : (
        <figcaption>
          <span className="ellipsis">{tile.source === "screen" ? label : name}</span>
          {hand ? <Icon name="hand" className="i14" /> : null}
        </figcaption>
      )}
      {tile.place === "side" || pinned ? (
        <button type="button" className="rp-pin" aria-label={act} title={act} onClick={() => replay.pin(pinned ? null : tile.track)}>
          <Icon name={pinned ? "cross" : "full"} className="i14" />
        </button>
      ) : null}
    </figure>
  );
}

/** No picture: who is on stage, as in a call without cameras. */
function Nobody() {
  const { t } = useTranslation();
  const audioOnly = useReplayState((state) => state.audioOnly);
  const people = useReplayState((state) => state.view?.people);
  const stage = Object.values(people ?? {}).filter((person) => person.present && (person.on_stage || person.role === "trainer"));
  return (
    <div className="rp-nobody">
      <div className="rp-faces">
        {stage.slice(0, 6).map((person) => (
          <span key={person.id} className="rp-face">
            <Avatar id={person.id} name={person.name} />
            <span className="ellipsis">{person.name}</span>
          </span>
        ))}
      </div>
      <p>{audioOnly ? t("replay.audioOnly") : t("replay.noPicture")}</p>
    </div>
  );
}
