import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import type { Classroom } from "../../state/classroom";
import { me } from "../../state/select";
import { useStore } from "../../state/store";
import { Loading } from "../App";
import { Ended, Left } from "../ended/Ended";
import { Refusal } from "../parts/Refusal";
import { Outside } from "../waiting/Outside";
import { Waiting } from "../waiting/Waiting";
import { openDesk, PlaceContext } from "./context";
import { Notices } from "./Notices";
import { Room } from "./Room";

/** Which of the class's pages this person sees: connecting, waiting, sent away, inside, over. */
function Pages({ classroom }: { classroom: Classroom }) {
  const { t } = useTranslation();
  const status = useStore(classroom.store, (state) => state.status);
  const code = useStore(classroom.store, (state) => (state.status === "closed" ? (state.problem?.code ?? "internal") : null));
  // Not in yet, and told why: the connection keeps knocking, so that this page goes in by itself once it may.
  const shut = useStore(classroom.store, (state) => (state.status === "connecting" ? (state.problem?.code ?? null) : null));
  const phase = useStore(classroom.store, (state) => state.view?.session.phase ?? null);
  const seat = useStore(classroom.store, (state) => (state.view ? (me(state.view)?.seat ?? null) : null));
  if (phase === "ended" || code === "class_ended") return <Ended />;
  if (seat === "declined" || seat === "removed" || seat === "banned") return <Outside seat={seat} />;
  if (code === "banned" || code === "declined" || code === "removed") return <Outside seat={code} />;
  if (code === "left") return <Left />;
  if (code === "replaced") {
    return (
      <Refusal code={code}>
        <div className="acts">
          <button type="button" className="btn primary" onClick={() => location.reload()}>
            {t("errors.useHere")}
          </button>
        </div>
      </Refusal>
    );
  }
  if (code) return <Refusal code={code} />;
  if (seat === null && (shut === "class_locked" || shut === "class_full")) return <Refusal code={shut} />;
  if (seat === null) return <Loading text={status === "reconnecting" ? t("class.reconnecting") : t("class.connecting")} />;
  return seat === "waiting" ? <Waiting /> : <Room />;
}

export function ClassroomView({ classroom }: { classroom: Classroom }) {
  const place = useMemo(() => ({ classroom, desk: openDesk() }), [classroom]);
  return (
    <PlaceContext.Provider value={place}>
      <Pages classroom={classroom} />
      <Notices />
    </PlaceContext.Provider>
  );
}
