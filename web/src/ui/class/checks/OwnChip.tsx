import { useTranslation } from "react-i18next";
import { useDesk } from "../context";
import { useOwn } from "./useOwn";

/** "Here 34 min · 2/2 checks" on the top bar; opens the details. */
export function OwnChip() {
  const { t } = useTranslation();
  const desk = useDesk();
  const { own } = useOwn();
  const mine = own?.attendance;
  if (!mine) return null;
  const checks = mine.checks_asked > 0 ? ` · ${t("own.checks", { answered: mine.checks_answered, asked: mine.checks_asked })}` : "";
  return (
    <button
      type="button"
      className="chip as-button num hide-s"
      aria-haspopup="dialog"
      title={t("own.title")}
      onClick={() => desk.set({ dialog: "own" })}
    >
      {t("own.chip", { minutes: Math.floor(mine.connected_ms / 60_000) })}
      {checks}
    </button>
  );
}
