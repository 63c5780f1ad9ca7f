import { type KeyboardEvent, type PointerEvent, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
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
  const under = hover === null ? undefined : pieces.findLast((each) => each.from_ms <= hover);
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
      {hover === null ? null : (
        <span className="tip" style={{ left: `clamp(90px, ${share(hover)}, 100% - 90px)` }}>
          {under && chapters.length > 0 ? <b className="ellipsis">{nameOf(under)}</b> : null}
          <span>{clock(hover)}</span>
        </span>
      )}
    </div>
  );
}
