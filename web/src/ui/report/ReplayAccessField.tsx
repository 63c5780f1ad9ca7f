import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../../protocol/api";
import { codeOf } from "../../protocol/refused";
import type { ReplayAccess } from "../../protocol/types";
import { Icon } from "../parts/Icon";
import { wordsFor } from "../parts/Refusal";

export const ACCESS: readonly ReplayAccess[] = ["participants", "trainers", "nobody"];

interface Props {
  session: string;
  seat: string | null;
  access: ReplayAccess;
  /** Whether this page may offer the choice; the node decides. */
  changes: boolean;
  onChanged: () => void;
}

/** Who may watch the recordings of this class, and for a trainer or the operator the choice. */
export function ReplayAccessField({ session, seat, access, changes, onChanged }: Props) {
  const { t } = useTranslation();
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const choose = async (wanted: ReplayAccess) => {
    setBusy(true);
    try {
      await api.shareReplay(session, seat, wanted);
      setProblem(null);
      onChanged();
    } catch (error) {
      setProblem(wordsFor(codeOf(error)));
    } finally {
      setBusy(false);
    }
  };
  if (!changes) {
    return (
      <span>
        <Icon name="play" className="i16" />
        {t("replay.access")}: {t(`replay.access_${access}`)}
      </span>
    );
  }
  return (
    <span className="share">
      <label>
        <span className="what">
          <Icon name="play" className="i16" />
          {t("replay.access")}
        </span>
        <span className="sel bare">
          <select value={access} disabled={busy} onChange={(event) => void choose(event.target.value as ReplayAccess)}>
            {ACCESS.map((each) => (
              <option key={each} value={each}>
                {t(`replay.access_${each}`)}
              </option>
            ))}
          </select>
          <Icon name="down" className="chev" />
        </span>
      </label>
      {problem ? (
        <span className="problem" role="alert">
          {problem}
        </span>
      ) : null}
    </span>
  );
}
