import { useTranslation } from "react-i18next";
import type { Report } from "../../protocol/api";
import { timeOfDay } from "../parts/time";

const WIDE = 1000;
const HIGH = 400;

/** A round step so that about four lines fit under the top. */
function step(top: number): number {
  for (const size of [1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000]) if (top / size <= 5) return size;
  return 5000;
}

/** How many were connected and how many had media, from start to end, with breaks and checks. */
export function PresencePlot({ report }: { report: Report }) {
  const { t, i18n } = useTranslation();
  const { curve, idle, checks, people } = report;
  const from = curve[0]?.[0] ?? 0;
  const to = Math.max(from + 1, curve.at(-1)?.[0] ?? 0);
  const most = Math.max(0, ...curve.map(([, connected]) => connected));
  const top = Math.max(1, most, people.length) * 1.06;
  const x = (at: number) => ((Math.min(to, Math.max(from, at)) - from) / (to - from)) * WIDE;
  const y = (count: number) => HIGH - (count / top) * HIGH;
  const line = (pick: 1 | 2) =>
    curve
      .map((point, i) => (i === 0 ? `M0 ${y(point[pick]).toFixed(1)}` : `H${x(point[0]).toFixed(1)}V${y(point[pick]).toFixed(1)}`))
      .join("");
  const at = (moment: number) => timeOfDay(moment, i18n.language);
  const levels = Array.from({ length: Math.floor(top / step(top)) }, (_, i) => (i + 1) * step(top));
  const about = [
    t("report.plotAbout", { from: at(from), to: at(to), most, last: curve.at(-1)?.[1] ?? 0 }),
    ...checks.map((each) => t("report.plotCheck", { time: at(each.at), answered: each.answered, asked: each.asked })),
  ].join(" ");
  const ticks = [0, 0.25, 0.5, 0.75, 1];
  return (
    <section className="card" aria-label={t("report.plot")}>
      <div className="hd">
        <h2>{t("report.plot")}</h2>
        <div className="legend">
          <span>
            <i />
            {t("report.connectedLine")}
          </span>
          <span>
            <i className="w" />
            {t("report.deliveredLine")}
          </span>
          {checks.length > 0 ? (
            <span>
              <i className="k" />
              {t("report.checkMark")}
            </span>
          ) : null}
          {idle.length > 0 ? (
            <span>
              <i className="b" />
              {t("report.idleMark")}
            </span>
          ) : null}
        </div>
      </div>
      <div className="plot num">
        <div className="area">
          <svg viewBox={`0 0 ${WIDE} ${HIGH}`} preserveAspectRatio="none" role="img" aria-label={about}>
            {idle.map(([start, end]) => (
              <rect key={start} className="pause" x={x(start)} width={Math.max(2, x(end) - x(start))} height={HIGH} />
            ))}
            {levels.map((level) => (
              <path key={level} className="gl" d={`M0 ${y(level)}H${WIDE}`} />
            ))}
            <path className="wt" d={line(2)} />
            <path className="on" d={line(1)} />
          </svg>
          <div className="ys" aria-hidden="true">
            {[0, ...levels].map((level) => (
              <span key={level} style={{ bottom: `${(level / top) * 100}%` }}>
                {level}
              </span>
            ))}
          </div>
          <div className="chk" aria-hidden="true">
            {checks.map((each) => (
              <i key={each.at} style={{ left: `${(x(each.at) / WIDE) * 100}%` }}>
                <b>
                  {each.answered}/{each.asked}
                </b>
              </i>
            ))}
          </div>
        </div>
        <div className="ax" aria-hidden="true">
          {ticks.map((tick) => (
            <span key={tick} className={tick === 0.25 || tick === 0.75 ? "hide-s" : ""} style={{ left: `${tick * 100}%` }}>
              {at(from + (to - from) * tick)}
            </span>
          ))}
        </div>
      </div>
    </section>
  );
}
