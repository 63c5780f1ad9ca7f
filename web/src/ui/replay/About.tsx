import { useTranslation } from "react-i18next";
import { Avatar } from "../parts/Avatar";
import { Icon } from "../parts/Icon";
import { clock, dayAndTime } from "../parts/time";
import { nameOf, useReplay, useReplayState } from "./context";

/** A class's title as the name of its film. */
export const fileName = (title: string): string => `${title.replaceAll(/[^\p{L}\p{N} ._-]+/gu, " ").trim() || "class"}.mp4`;

/** Under the player: what this recording is, who is seen in it, whose hands are up at this moment. */
export function About() {
  const { t, i18n } = useTranslation();
  const { content, extra } = useReplay();
  const film = useReplayState((state) => state.extras.download);
  const people = useReplayState((state) => state.view?.people);
  const seen = [...new Set(content.tracks.filter((track) => track.spans.length > 0).map((track) => track.participant))];
  const hands = Object.values(people ?? {})
    .filter((person) => person.hand !== undefined)
    .sort((a, b) => (a.hand ?? 0) - (b.hand ?? 0));
  return (
    <div className="rp-below">
      <section className="card rp-card" aria-labelledby="rp-about">
        <header>
          <h2 id="rp-about">{t("replay.about")}</h2>
          <div className="grow" />
          {film ? (
            <a className="btn sm" href={extra(film.file)} download={fileName(content.title)}>
              <Icon name="download" className="i16" />
              {t("replay.download")}
              <span className="muted num">{t("replay.megabytes", { value: (film.bytes / 1e6).toFixed(1) })}</span>
            </a>
          ) : null}
        </header>
        <dl>
          <div>
            <dt>{t("replay.when")}</dt>
            <dd className="num">{dayAndTime(content.started_at, i18n.language)}</dd>
          </div>
          <div>
            <dt>{t("replay.length")}</dt>
            <dd className="num">{clock(content.duration_ms)}</dd>
          </div>
          <div>
            <dt>{t("replay.speakers")}</dt>
            <dd>{seen.map((id) => nameOf(people, id)).join(i18n.language === "en" ? ", " : "、") || "—"}</dd>
          </div>
        </dl>
      </section>
      <section className="card rp-card" aria-labelledby="rp-hands">
        <header>
          <h2 id="rp-hands">{t("replay.now")}</h2>
          <span className="chip num">{hands.length}</span>
        </header>
        {hands.length === 0 ? <p className="muted s">—</p> : null}
        <ul className="rp-hands">
          {hands.map((person) => (
            <li key={person.id}>
              <Avatar id={person.id} name={person.name} />
              <span className="ellipsis">{person.name}</span>
              <Icon name="hand" className="i16" />
            </li>
          ))}
        </ul>
      </section>
    </div>
  );
}
