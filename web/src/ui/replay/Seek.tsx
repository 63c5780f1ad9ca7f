import { type KeyboardEvent, type PointerEvent, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { type Thumbnail, thumbnailAt } from "../../state/replay/thumbnails";
import { clock } from "../parts/time";
import { useReplay, useReplayState } from "./context";
import { useChapterName } from "./words";

const STEPS: Record<string, number> = {
  ArrowLeft: -5_000,
  ArrowRight: 5_000,
  ArrowDown: -5_000,
  ArrowUp: 5_000,
  PageDown: -60_000,
  PageUp: 60_000,
};

/** The bar: one piece per chapter, a mark where a poll opened, the moment under the pointer told above. */
export function Seek() {
  const { t } = useTranslation();
  const replay = useReplay();
  const total = replay.content.duration_ms;
  const nameOf = useChapterName();
  const chapters = useReplayState((state) => state.chapters);
  const at = useReplayState((state) => Math.floor(state.playing.position / 250) * 250);
  const polls = useReplayState((state) => state.pollsAt);
  const bar = useRef<HTMLDivElement>(null);
  const [hover, setHover] = useState<number | null>(null);
  const [focused, setFocused] = useState(false);
  const pieces = chapters.length > 0 ? chapters : [{ from_ms: 0, to_ms: total, kind: "start" as const, label: "" }];
  const moment = (event: PointerEvent) => {
    const box = bar.current?.getBoundingClientRect();
    return box && box.width > 0 ? Math.max(0, Math.min(1, (event.clientX - box.left) / box.width)) * total : 0;
  };
  const press = (event: KeyboardEvent) => {
    const by = STEPS[event.key];
    if (by !== undefined) replay.step(by);
    else if (event.key === "Home") replay.seek(0);
    else if (event.key === "End") replay.seek(total);
    else return;
    event.preventDefault();
  };
  const share = (ms: number) => `${(Math.max(0, Math.min(total, ms)) / total) * 100}%`;
  // With the keyboard the moment that is played is the one looked at.
  const told = hover ?? (focused ? at : null);
  const under = told === null ? undefined : pieces.findLast((each) => each.from_ms <= told);
  return (
    <div
      ref={bar}
      className="rp-seek"
      role="slider"
      tabIndex={0}
      aria-label={t("replay.seek")}
      aria-valuemin={0}
      aria-valuemax={Math.round(total / 1000)}
      aria-valuenow={Math.round(at / 1000)}
      aria-valuetext={t("replay.seekText", { at: clock(at), total: clock(total) })}
      onKeyDown={press}
      onFocus={(event) => setFocused(event.currentTarget.matches(":focus-visible"))}
      onBlur={() => setFocused(false)}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        replay.seek(moment(event));
      }}
      onPointerMove={(event) => {
        setHover(moment(event));
        if (event.buttons === 1) replay.seek(moment(event));
      }}
      onPointerLeave={() => setHover(null)}
    >
      {pieces.map((each) => (
        <span key={each.from_ms} className={`p ${each === under ? "h" : ""}`} style={{ flex: Math.max(1, each.to_ms - each.from_ms) }}>
          <i style={{ width: `${Math.max(0, Math.min(1, (at - each.from_ms) / Math.max(1, each.to_ms - each.from_ms))) * 100}%` }} />
        </span>
      ))}
      {[...polls].map(([id, ms]) => (
        <i key={id} className="mk" style={{ left: share(ms) }} />
      ))}
      <span className="knob" style={{ left: share(at) }} />
      {told === null ? null : (
        <span className="tip" style={{ left: `clamp(90px, ${share(told)}, 100% - 90px)` }}>
          <Small at={told} />
          <span className="w">
            {under && chapters.length > 0 ? <b className="ellipsis">{nameOf(under)}</b> : null}
            <span>{clock(told)}</span>
          </span>
        </span>
      )}
    </div>
  );
}

/** The picture of a moment, once its sheet is here; nothing where there is none. */
function Small({ at }: { at: number }) {
  const replay = useReplay();
  const found = useReplayState((state) => thumbnailAt(state.thumbnails, at));
  const expected = useReplayState((state) => state.extras.thumbnails);
  // biome-ignore lint/correctness/useExhaustiveDependencies: asked again when there are others
  useEffect(() => replay.wantThumbnails(), [replay, expected]);
  const sheet = found ? replay.extra(found.file) : null;
  const [here, setHere] = useState<string | null>(null);
  useEffect(() => {
    if (sheet === null) return;
    const image = new Image();
    image.onload = () => setHere(sheet);
    image.src = sheet;
    return () => {
      image.onload = null;
    };
  }, [sheet]);
  return found && here === sheet ? <i className="th" style={piece(found, here)} /> : null;
}

function piece(found: Thumbnail, sheet: string | null) {
  const { x, y, width, height } = found;
  return { width, height, backgroundImage: `url("${sheet}")`, backgroundPosition: `-${x}px -${y}px` };
}
