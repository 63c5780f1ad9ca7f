import { useEffect, useState } from "react";
import type { Classroom } from "../../state/classroom";
import { openClassroom } from "../../state/open";
import { Loading } from "../App";
import { forgetIntent, type Intent, keepIntent } from "../join/intent";
import { ClassroomView } from "./ClassroomView";

/** The class of one seat, connected for as long as the page shows it. */
export default function ClassPage({ seat, intent }: { seat: string; intent: Intent }) {
  const [classroom, setClassroom] = useState<Classroom | null>(null);
  useEffect(() => {
    const opened = openClassroom(seat, intent, { keep: (next) => keepIntent(seat, next), forget: () => forgetIntent(seat) });
    setClassroom(opened);
    return () => opened.close();
  }, [seat, intent]);
  return classroom ? <ClassroomView classroom={classroom} /> : <Loading />;
}
