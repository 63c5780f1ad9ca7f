import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../../protocol/api";
import { codeOf } from "../../protocol/refused";
import { useStore } from "../../state/store";
import { Icon } from "../parts/Icon";
import { LanguageButton, ThemeButton } from "../parts/Look";
import { MessagePage } from "../parts/MessagePage";
import { wordsFor } from "../parts/Refusal";
import { clock, timeOfDay } from "../parts/time";
import { prefs } from "../prefs";
import { takeFragment } from "../route";
import { Erase } from "./Erase";
import { Holds } from "./Holds";
import { bitrate, type ClassRow, highest, type Overview, type Row } from "./overview";
import { type Line, Plot } from "./Plot";
import "./operator.css";

const PERIOD_MS = 1_000;
const STALE_MS = 5_000;

/** The figures, a second old at most; null until the first came, a code when they cannot be had. */
function useOverview(): { overview: Overview | null; code: string | null; stale: boolean } {
  const [overview, setOverview] = useState<Overview | null>(null);
  const [code, setCode] = useState<string | null>(null);
  const [heard, setHeard] = useState(0);
  useEffect(() => {
    let live = true;
    let timer: ReturnType<typeof setTimeout>;
    const read = async () => {
      try {
        const next = (await api.operatorOverview()) as unknown as Overview;
        if (!live) return;
        setOverview(next);
        setCode(null);
        setHeard(Date.now());
      } catch (error) {
        if (live) setCode(codeOf(error));
      }
      if (live) timer = setTimeout(read, PERIOD_MS);
    };
    const { login } = takeFragment("login");
    const begin = login ? api.operatorLogin(login).catch((error) => live && setCode(codeOf(error))) : Promise.resolve();
    void begin.then(read);
    return () => {
      live = false;
      clearTimeout(timer);
    };
  }, []);
  return { overview, code, stale: overview !== null && code !== null && Date.now() - heard > STALE_MS };
}

function Figure({ name, value, unit, note, warn = false }: { name: string; value: string; unit?: string; note?: string; warn?: boolean }) {
  return (
    <div className={warn ? "w" : ""}>
      <dt>{name}</dt>
      <dd>
        {value}
        {unit ? <small>{unit}</small> : null}
      </dd>
      <dd className="sub">{note ?? "\u00a0"}</dd>
    </div>
  );
}

function Figures({ rows, count }: { rows: Row[]; count: number }) {
  const { t, i18n } = useTranslation();
  const row = rows.at(-1);
  if (!row) return null;
  const whole = new Intl.NumberFormat(i18n.language, { maximumFractionDigits: 0 });
  const ms = (value: number) => value.toFixed(value < 10 ? 1 : 0);
  const [out, outUnit] = bitrate(row.kbit_out);
  const [into, intoUnit] = bitrate(row.kbit_in);
  const worst = (pick: (row: Row) => number, unit: string) => t("operator.worst", { value: `${ms(highest(rows, pick))} ${unit}` });
  return (
    <dl className="card kpi num">
      <Figure name={t("operator.classes")} value={whole.format(count)} />
      <Figure
        name={t("operator.people")}
        value={whole.format(row.people)}
        note={`${t("operator.connections")} ${whole.format(row.connections)}`}
      />
      <Figure name={t("operator.bitrateOut")} value={out} unit={outUnit} note={`${t("operator.in")} ${into} ${intoUnit}`} />
      <Figure
        name={t("operator.packets")}
        value={whole.format(row.packets_out + row.packets_in)}
        unit={t("operator.perSecond")}
        note={`${t("operator.peers")} ${whole.format(row.media_people)}`}
      />
      <Figure
        name={t("operator.repairs")}
        value={whole.format(row.nacks)}
        unit="/s"
        note={`${t("operator.keyFrames")} ${whole.format(row.key_frame_requests)}`}
        warn={row.queue_drops > 0}
      />
      <Figure
        name={t("operator.loop")}
        value={ms(row.loop_late_ms)}
        unit="ms"
        note={worst((each) => each.loop_late_ms, "ms")}
        warn={highest(rows, (each) => each.loop_late_ms, 5) > 250}
      />
      <Figure
        name={t("operator.journal")}
        value={ms(row.journal_ms)}
        unit="ms"
        note={worst((each) => each.journal_ms, "ms")}
        warn={highest(rows, (each) => each.journal_ms, 5) > 250}
      />
    </dl>
  );
}

interface Panel {
  title: string;
  note: string;
  lines: Line[];
  format: (value: number) => string;
}

function Plots({ rows }: { rows: Row[] }) {
  const { t, i18n } = useTranslation();
  const theme = useStore(prefs, (state) => state.theme);
  const times = rows.map((row) => row.at);
  const line = (label: string, pick: (row: Row) => number, second = false): Line => ({
    label,
    values: rows.map(pick),
    colour: second ? "--series-2" : "--accent",
    fill: !second,
  });
  const whole = (value: number) => new Intl.NumberFormat(i18n.language, { maximumFractionDigits: value < 10 ? 1 : 0 }).format(value);
  const bits = (value: number) => bitrate(value).join(" ").replace("bit/s", "");
  const minutes = t("operator.window", { count: 5 });
  const panels: Panel[] = [
    {
      title: t("operator.people"),
      note: minutes,
      format: whole,
      lines: [line(t("operator.people"), (row) => row.people), line(t("operator.connections"), (row) => row.connections, true)],
    },
    {
      title: t("operator.bitrateOut"),
      note: "bit/s",
      format: bits,
      lines: [line(t("operator.out"), (row) => row.kbit_out), line(t("operator.in"), (row) => row.kbit_in, true)],
    },
    {
      title: t("operator.packets"),
      note: t("operator.perSecond"),
      format: whole,
      lines: [line(t("operator.out"), (row) => row.packets_out), line(t("operator.in"), (row) => row.packets_in, true)],
    },
    {
      title: t("operator.repairs"),
      note: "/s",
      format: whole,
      lines: [line(t("operator.repairs"), (row) => row.nacks), line(t("operator.drops"), (row) => row.queue_drops, true)],
    },
    {
      title: t("operator.loop"),
      note: "ms",
      format: whole,
      lines: [line(t("operator.loop"), (row) => row.loop_late_ms), line(t("operator.journal"), (row) => row.journal_ms, true)],
    },
    { title: t("operator.joins"), note: "/s", format: whole, lines: [line(t("operator.joins"), (row) => row.joins)] },
  ];
  return (
    <div className="plots">
      {panels.map((panel) => (
        <section key={panel.title} className="card" aria-label={panel.title}>
          <header className="hd">
            <h2>{panel.title}</h2>
            <span className="sub">{panel.note}</span>
            {panel.lines.length > 1 ? (
              <div className="key num">
                {panel.lines.map((each) => (
                  <span key={each.label} className={each.colour === "--accent" ? "k1" : "k2"}>
                    <i />
                    {each.label} <b>{panel.format(each.values.at(-1) ?? 0)}</b>
                  </span>
                ))}
              </div>
            ) : null}
          </header>
          <Plot times={times} lines={panel.lines} format={panel.format} theme={theme} language={i18n.language} />
        </section>
      ))}
    </div>
  );
}

function Classes({ list, count }: { list: ClassRow[]; count: number }) {
  const { t } = useTranslation();
  return (
    <section className="card classes" aria-label={t("operator.classTable")}>
      <header className="hd">
        <h2>{t("operator.classTable")}</h2>
        <span className="note num">{count}</span>
      </header>
      {list.length === 0 ? (
        <div className="empty">
          <span className="ico">
            <Icon name="grid" />
          </span>
          <b>{t("operator.none")}</b>
          <span>{t("operator.noneHint")}</span>
        </div>
      ) : (
        <div className="tw" role="region" tabIndex={0} aria-label={t("operator.classTable")}>
          <table className="num">
            <thead>
              <tr>
                <th scope="col">{t("operator.name")}</th>
                <th scope="col">{t("operator.phase")}</th>
                <th scope="col" className="r">
                  {t("operator.present")}
                </th>
                <th scope="col" className="r">
                  {t("operator.stage")}
                </th>
                <th scope="col" className="r">
                  {t("operator.waitingRoom")}
                </th>
              </tr>
            </thead>
            <tbody>
              {list.map((each) => (
                <tr key={each.session}>
                  <td className="el">
                    <a href={`/report/${each.session}`}>
                      <b>{each.title}</b>
                    </a>
                    <small>{each.session}</small>
                  </td>
                  <td>
                    <span className={`chip ${each.phase === "live" ? "dotted" : each.phase === "break" ? "signal" : ""}`}>
                      {t(`phase.${each.phase}`)}
                    </span>
                  </td>
                  <td className="r">
                    <b>{each.present}</b>
                  </td>
                  <td className="r">{each.on_stage}</td>
                  <td className={`r ${each.waiting > 0 ? "warn" : ""}`}>{each.waiting}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

/** The node at a glance, live. */
export default function OperatorPage() {
  const { t, i18n } = useTranslation();
  const { overview, code, stale } = useOverview();
  if (!overview) {
    if (code === "unauthenticated" || code === "not_allowed" || code === "bad_token" || code === "token_used" || code === "token_expired") {
      return (
        <MessagePage
          icon="lock"
          tone="warn"
          title={t("operator.loginTitle")}
          text={code === "unauthenticated" ? t("operator.loginLead") : wordsFor(code)}
        />
      );
    }
    return <MessagePage icon={code ? "warn" : "time"} tone={code ? "bad" : "ok"} title={code ? wordsFor(code) : t("operator.waiting")} />;
  }
  const well = overview.store === "ok" && overview.media === "ok";
  const state = (value: string) => (value === "ok" ? t("operator.healthy") : t("operator.broken"));
  return (
    <div className="operator">
      <header className="top">
        <div className="brand">{t("app.badge")}</div>
        <h1>{t("operator.title")}</h1>
        <span className={`chip ${well ? "dotted" : "bad"}`}>
          {well ? t("operator.ok") : `${t("operator.store")} ${state(overview.store)} · ${t("operator.media")} ${state(overview.media)}`}
        </span>
        {overview.draining ? <span className="chip signal">{t("operator.draining")}</span> : null}
        {stale || code ? <span className="chip bad">{t("operator.stale")}</span> : null}
        <div className="grow" />
        <span className="muted s num hide-s">
          {t("operator.version")} {overview.version} · {t("operator.uptime", { time: clock(overview.now - overview.started_at) })} ·{" "}
          {t("operator.updated", {
            time: `${timeOfDay(overview.now, i18n.language)}:${String(new Date(overview.now).getSeconds()).padStart(2, "0")}`,
          })}
        </span>
        <ThemeButton />
        <LanguageButton />
      </header>
      <main>
        <Figures rows={overview.rows} count={overview.class_count} />
        <Plots rows={overview.rows} />
        <Classes list={overview.classes} count={overview.class_count} />
        <Holds />
        <Erase />
      </main>
    </div>
  );
}
