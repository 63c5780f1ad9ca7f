import { useEffect, useState } from "react";
import { Button, Dialog, DialogTrigger, Popover } from "react-aria-components";
import { useTranslation } from "react-i18next";
import type { Link, LinkStats } from "../../media/view";
import type { Quality } from "../../state/live";
import { Icon } from "../parts/Icon";
import { useClass, useClassroom, useView } from "./context";

export type Mark = "good" | "fair" | "poor" | "lost" | "unknown";

/** The one word in the top bar. */
export function markOf(online: boolean, quality: Quality | undefined): Mark {
  if (!online) return "lost";
  if (!quality) return "good";
  if (quality.score >= 3) return "good";
  return quality.score >= 2 ? "fair" : "poor";
}

const PERIOD_MS = 1_500;
const LINK_KEY = { none: "none", connecting: "connecting", connected: "online", failed: "failed" } as const;

function Facts() {
  const { t } = useTranslation();
  const classroom = useClassroom();
  const online = useClass((state) => state.status === "online");
  const publish = useClass((state) => state.media.publish);
  const subscribe = useClass((state) => state.media.subscribe);
  const [stats, setStats] = useState<LinkStats | null>(null);
  useEffect(() => {
    let live = true;
    const read = () =>
      classroom.media.stats().then(
        (next) => live && setStats(next),
        () => undefined,
      );
    void read();
    const timer = setInterval(read, PERIOD_MS);
    return () => {
      live = false;
      clearInterval(timer);
    };
  }, [classroom]);
  const worst: Link = publish === "failed" || subscribe === "failed" ? "failed" : subscribe === "none" ? publish : subscribe;
  const percent = (value: number | null) => (value === null ? "–" : `${(value * 100).toFixed(1)}%`);
  const lines = (value: number | null | undefined) => (value == null ? "–" : `${value}p`);
  const rows: [string, string][] = [
    [t("connection.signaling"), online ? t("connection.online") : t("connection.offline")],
    [t("connection.media"), t(`connection.${LINK_KEY[worst]}`)],
    [t("connection.transport"), stats?.transport?.toUpperCase() ?? "–"],
    [t("connection.rtt"), stats?.rtt == null ? "–" : t("common.ms", { value: Math.round(stats.rtt) })],
    [t("connection.loss"), `↑ ${percent(stats?.lossOut ?? null)}　↓ ${percent(stats?.lossIn ?? null)}`],
    [t("connection.sent"), `${Math.round(stats?.kbitOut ?? 0)} kbit/s`],
    [t("connection.received"), `${Math.round(stats?.kbitIn ?? 0)} kbit/s`],
    [t("connection.picture"), `↑ ${lines(stats?.linesOut)}　↓ ${lines(stats?.linesIn)}`],
  ];
  return (
    <dl className="facts-list num">
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** The connection mark; a press shows the figures behind it. */
export function Connection() {
  const { t } = useTranslation();
  const me = useView((view) => view.me);
  const mark = useClass((state) => markOf(state.status === "online", state.live.quality[me]));
  const tone = mark === "good" || mark === "unknown" ? "" : mark === "fair" ? "signal" : "bad";
  return (
    <DialogTrigger>
      <Button className={`chip as-button ${tone}`} aria-label={`${t("connection.title")}: ${t(`connection.${mark}`)}`}>
        <Icon name="signal" className="i14" />
        <span className="hide-s">{t(`connection.${mark}`)}</span>
      </Button>
      <Popover className="popover padded" placement="bottom end" offset={8}>
        <Dialog className="plain" aria-label={t("connection.title")}>
          <h3>{t("connection.title")}</h3>
          <Facts />
        </Dialog>
      </Popover>
    </DialogTrigger>
  );
}
