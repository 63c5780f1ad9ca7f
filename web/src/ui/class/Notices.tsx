import type { TFunction } from "i18next";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { ding } from "../../media/level";
import type { Notice } from "../../state/classroom";
import { wordsFor, wordsForDevice } from "../parts/Refusal";
import { toast } from "../parts/Toasts";
import { prefs } from "../prefs";
import { useClassroom } from "./context";

function show(notice: Notice, t: TFunction): string | null {
  switch (notice.kind) {
    case "refused":
      toast(wordsFor(notice.code), "bad");
      return null;
    case "device":
      toast(wordsForDevice(notice.why), "bad");
      return null;
    case "unplugged":
      toast(t(`device.${notice.what}Gone`), "bad");
      return null;
    case "reconnected":
      toast(t("class.reconnected"));
      return null;
    case "muted":
      toast(t("class.mutedBy"), "ask");
      return null;
    case "camera_stopped":
      toast(t("class.cameraStoppedBy"), "ask");
      return null;
    case "on_stage":
      toast(t("class.broughtOnStage"), "ask");
      return null;
    case "off_stage":
      toast(t("class.takenOffStage"), "ask");
      return null;
    case "hand":
      toast(t("class.handUp", { name: notice.name }), "ask");
      if (prefs.get().sounds) ding();
      return null;
    case "waiting":
      toast(t("class.someoneWaiting", { count: notice.count }), "ask");
      if (prefs.get().sounds) ding();
      return null;
    case "joined":
      return t("class.joinedLive", { name: notice.name });
    case "left":
      return t("class.leftLive", { name: notice.name });
    case "message":
      return t("class.messageLive", { name: notice.name, text: notice.text });
    case "poll":
      return t("class.pollLive", { question: notice.question });
    case "result":
      return t("class.resultLive", { question: notice.question });
  }
}

const SPOKEN_EVERY_MS = 700;

/** Turns what happened into toasts, and into words for screen readers (at most one sentence at a time, newest wins). */
export function Notices() {
  const { t } = useTranslation();
  const classroom = useClassroom();
  const [spoken, setSpoken] = useState("");
  useEffect(() => {
    let pending: string | null = null;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stop = classroom.notices((notice) => {
      const words = show(notice, t);
      if (words === null) return;
      pending = words;
      timer ??= setTimeout(() => {
        if (pending !== null) setSpoken(pending);
        timer = undefined;
      }, SPOKEN_EVERY_MS);
    });
    return () => {
      clearTimeout(timer);
      stop();
    };
  }, [classroom, t]);
  return (
    <p className="sr" role="status" aria-live="polite">
      {spoken}
    </p>
  );
}
