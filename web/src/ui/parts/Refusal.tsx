import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { DeviceProblem } from "../../media/devices";
import { i18next } from "../i18n";
import { MessagePage } from "./MessagePage";

/** The words for an error code; codes of a later server fall back to a general sentence. */
export function wordsFor(code: string): string {
  const key = `errors.${code}`;
  return i18next.exists(key) ? i18next.t(key as "errors.internal") : i18next.t("errors.internal");
}

/** The words for a device that did not open. */
export function wordsForDevice(why: DeviceProblem): string {
  return i18next.t(`device.${why}`);
}

function hintFor(code: string): string | undefined {
  const key = `errors.${code}Hint`;
  return i18next.exists(key) ? i18next.t(key as "errors.bad_tokenHint") : undefined;
}

/** A refusal as a page of its own. */
export function Refusal({ code, children }: { code: string; children?: ReactNode }) {
  const { t } = useTranslation();
  const calm =
    code === "class_ended" ||
    code === "no_longer_kept" ||
    code === "replaced" ||
    code === "class_locked" ||
    code === "class_full" ||
    code === "replay_closed";
  return (
    <MessagePage
      icon={code === "banned" || code === "declined" ? "ban" : code === "class_ended" ? "ok" : code === "no_longer_kept" ? "time" : "warn"}
      tone={calm ? "warn" : "bad"}
      title={wordsFor(code)}
      text={hintFor(code)}
    >
      {children ?? (
        <div className="acts">
          <a className="btn" href="/">
            {t("ended.home")}
          </a>
        </div>
      )}
    </MessagePage>
  );
}

export const canRetry = (code: string): boolean =>
  ["offline", "internal", "draining", "overloaded", "journal_unavailable", "recordings_unavailable", "rate_limited"].includes(code);
