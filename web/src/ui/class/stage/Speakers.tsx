import { useTranslation } from "react-i18next";
import { isStaffRole, may, person } from "../../../state/select";
import { shallow } from "../../../state/store";
import { Icon } from "../../parts/Icon";
import { ReactionIcon } from "../../parts/ReactionIcon";
import { useClass, useClassroom, useView } from "../context";

const SHOWN = 3;

/** Who is talking; whoever may mute taps the name to do so. */
export function Speakers() {
  const { t } = useTranslation();
  const classroom = useClassroom();
  const talking = useView(
    (view, state) =>
      state.live.speakers
        .slice(0, SHOWN)
        .map((id) => person(view, id))
        .filter((each) => each?.microphone === true),
    shallow,
  );
  const mutes = useView((view) => may(view, "moderate_media"));
  const me = useView((view) => view.me);
  const bursts = useClass((state) => state.live.bursts);
  return (
    <>
      <div className="speak">
        {talking.map((each) => {
          if (!each) return null;
          const inner = (
            <>
              <i />
              <span className="ellipsis">{each.name}</span>
            </>
          );
          return mutes && each.id !== me && !isStaffRole(each.role) ? (
            <button
              key={each.id}
              type="button"
              className="chip"
              title={t("people.mute")}
              onClick={() => void classroom.send({ type: "mute", participant: each.id })}
            >
              {inner}
              <Icon name="micOff" className="i14" />
              <span className="sr">{t("people.mute")}</span>
            </button>
          ) : (
            <span key={each.id} className="chip">
              {inner}
            </span>
          );
        })}
      </div>
      <div className="bursts" aria-hidden="true">
        {bursts.map((burst) => (
          <span key={burst.id} className={`burst r-${burst.kind}`} style={{ "--x": (burst.id * 37) % 100 } as React.CSSProperties}>
            <ReactionIcon kind={burst.kind} />
            {burst.count > 1 ? <b className="num">{burst.count}</b> : null}
          </span>
        ))}
      </div>
    </>
  );
}
