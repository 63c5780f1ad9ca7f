import { useEffect, useRef } from "react";
import { meter } from "../../media/level";

/** A microphone's level as a bar; drawn outside React because it moves twelve times a second. */
export function Bars({ track, label, onHeard }: { track: MediaStreamTrack | null; label: string; onHeard?: () => void }) {
  const root = useRef<HTMLDivElement>(null);
  const fill = useRef<HTMLElement>(null);
  useEffect(() => {
    const draw = (level: number) => {
      if (fill.current) fill.current.style.transform = `scaleX(${level.toFixed(3)})`;
      root.current?.setAttribute("aria-valuenow", String(Math.round(level * 100)));
      if (level > 0.35) onHeard?.();
    };
    draw(0);
    return track ? meter(track, draw) : undefined;
  }, [track, onHeard]);
  return (
    <div ref={root} className="bars" role="meter" aria-label={label} aria-valuemin={0} aria-valuemax={100} aria-valuenow={0}>
      <i ref={fill} />
    </div>
  );
}
