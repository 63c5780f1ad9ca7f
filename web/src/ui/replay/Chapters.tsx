import { useTranslation } from "react-i18next";
import { Icon, type IconName } from "../parts/Icon";
import { clock } from "../parts/time";
import { useReplay, useReplayState } from "./context";
import { useChapterName } from "./words";

const ICONS: Record<string, IconName> = { start: "play", poll: "poll", screen: "share", main: "user", break: "cup", resume: "play" };

/** Where things begin; the one being played is marked. */
export function Chapters() {
  const { t } = useTranslation();
  const replay = useReplay();
  const nameOf = useChapterName();
  const chapters = useReplayState((state) => state.chapters);
  const now = useReplayState((state) => state.chapters.findLast((each) => each.from_ms <= state.playing.position));
  return (
    <div className="rp-pane" data-scrolls>
      {chapters.length === 0 ? (
        <div className="empty">
          <div className="ico rp-ico">
            <Icon name="chapters" />
          </div>
          <b>{t("replay.noChapters")}</b>
        </div>
      ) : null}
      <ol className="rp-chaps">
        {chapters.map((each) => (
          <li key={each.from_ms}>
            <button
              type="button"
              className={each === now ? "on" : ""}
              aria-current={each === now || undefined}
              onClick={() => replay.seek(each.from_ms)}
            >
              <span className={`rp-ico ${each.kind}`}>
                <Icon name={ICONS[each.kind] ?? "play"} className="i16" />
              </span>
              <span className="t">
                <b>{nameOf(each)}</b>
                <small className="num">
                  {clock(each.from_ms)} – {clock(each.to_ms)}
                </small>
              </span>
            </button>
          </li>
        ))}
      </ol>
    </div>
  );
}
