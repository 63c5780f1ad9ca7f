import { useTranslation } from "react-i18next";
import type { Chapter } from "../../state/replay/chapters";

/** A chapter in the viewer's language, the words of the class inside. */
export function useChapterName(): (chapter: Chapter) => string {
  const { t } = useTranslation();
  return ({ kind, label }) => t(`replay.chapter.${kind}`, { label: label || "—" });
}
