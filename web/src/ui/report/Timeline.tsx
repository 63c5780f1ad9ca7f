import { useTranslation } from "react-i18next";
import type { Segment } from "../../protocol/api";
import { timeOfDay } from "../parts/time";
import { minutesOf } from "./words";

interface Props {
  segments: readonly Segment[];
  idle: readonly (readonly [number, number])[];
  from: number;
  to: number;
}

/** When somebody was there, drawn to scale and written out. */
export function Timeline({ segments, idle, from, to }: Props) {
  const { t, i18n } = useTranslation();
  const span = Math.max(1, to - from);
  const place = (start: number, end: number) => ({ left: `${((start - from) / span) * 100}%`, width: `${((end - start) / span) * 100}%` });
  const at = (moment: number) => timeOfDay(moment, i18n.language);
  return (
    <div className="timeline">
      <div className="rail" aria-hidden="true">
        {idle.map(([start, end]) => (
          <i key={`idle-${start}`} className="idle" style={place(start, end)} />
        ))}
        {segments.map((each) => (
          <i
            key={each.start}
            className={`${each.bridged ? "bridged" : "on"} ${each.recovered ? "recovered" : ""}`}
            style={place(each.start, each.end)}
          />
        ))}
      </div>
      <div className="ends xs muted num" aria-hidden="true">
        <span>{at(from)}</span>
        <span>{at(to)}</span>
      </div>
      {segments.length === 0 ? (
        <p className="s muted">{t("report.neverIn")}</p>
      ) : (
        <ul className="s num">
          {segments.map((each) => (
            <li key={each.start}>
              {t("report.segment", { from: at(each.start), to: at(each.end), count: minutesOf(each.end - each.start) })}
              {each.bridged ? <span className="chip">{t("report.bridged")}</span> : null}
              {each.recovered ? <span className="chip signal">{t("report.recovered")}</span> : null}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
