import { useEffect, useRef, useState } from "react";
import { api, type OwnAttendance } from "../../../protocol/api";
import { me } from "../../../state/select";
import { useRoute } from "../../route";
import { useClass, useView } from "../context";

const EVERY_MS = 60_000;
/** Not everybody of a large class in the same moment after something happened. */
const SPREAD_MS = 3_000;

/** The seat this page is about; null on pages that are not a class. */
export function useSeat(): string | null {
  const route = useRoute();
  return route.page === "class" ? route.seat : null;
}

/** The own record, read again every minute and after what changes it; null before the first answer and for everybody but trainees. */
export function useOwn(): { own: OwnAttendance | null; failed: boolean } {
  const [own, setOwn] = useState<OwnAttendance | null>(null);
  const [failed, setFailed] = useState(false);
  const first = useRef(true);
  const seat = useSeat();
  const session = useView((view) => (me(view)?.role === "trainee" ? view.session.id : null));
  const online = useClass((state) => state.status === "online");
  // The number of the check and whether it is answered, and the phase: what moves the record by a step.
  const step = useView((view) => `${view.check?.id ?? ""} ${view.check?.mine ?? false} ${view.session.phase}`);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a step means reading again
  useEffect(() => {
    if (session === null || !online) return;
    let gone = false;
    const read = () =>
      api.ownAttendance(session, seat).then(
        (answer) => {
          if (gone) return;
          setOwn(answer);
          setFailed(false);
        },
        () => !gone && setFailed(true),
      );
    const soon = setTimeout(read, first.current ? 0 : Math.random() * SPREAD_MS);
    first.current = false;
    const timer = setInterval(read, EVERY_MS);
    return () => {
      gone = true;
      clearTimeout(soon);
      clearInterval(timer);
    };
  }, [session, seat, online, step]);
  return { own, failed };
}
