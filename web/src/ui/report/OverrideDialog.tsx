import { useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, type PersonAttendance } from "../../protocol/api";
import { randomId } from "../../protocol/ids";
import { codeOf } from "../../protocol/refused";
import type { AttendanceStatus } from "../../protocol/types";
import { Icon } from "../parts/Icon";
import { Modal } from "../parts/Modal";
import { wordsFor } from "../parts/Refusal";
import { STATES, stateName } from "./words";

interface Props {
  session: string;
  seat: string | null;
  person: PersonAttendance;
  onClose: () => void;
  onSaved: () => void;
}

/** Decides about one person's attendance, with a reason. */
export function OverrideDialog({ session, seat, person, onClose, onSaved }: Props) {
  const { t } = useTranslation();
  const [status, setStatus] = useState<AttendanceStatus | "">(person.override?.status ?? person.computed);
  const [minutes, setMinutes] = useState(person.override?.minutes == null ? "" : String(person.override.minutes));
  const [reason, setReason] = useState("");
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  // One id for one decision: the same once more after a lost answer is not decided twice, and another one is not taken for it.
  const asked = useRef({ decision: "", op: "" });
  const save = async () => {
    if (reason.trim() === "") return setProblem(t("report.reasonNeeded"));
    setBusy(true);
    try {
      const counted = status === "" || minutes.trim() === "" ? null : Math.min(1440, Math.max(0, Math.round(Number(minutes)) || 0));
      const decision = { status: status === "" ? null : status, minutes: counted, reason: reason.trim() };
      if (asked.current.decision !== JSON.stringify(decision)) {
        asked.current = { decision: JSON.stringify(decision), op: randomId() };
      }
      await api.overrideAttendance(session, seat, person.participant, { ...decision, op: asked.current.op });
      onSaved();
    } catch (error) {
      setProblem(wordsFor(codeOf(error)));
      setBusy(false);
    }
  };
  return (
    <Modal title={t("report.overrideTitle", { name: person.name })} open onClose={onClose}>
      <div className="dialog-body">
        <p className="s muted">{t("report.overrideLead")}</p>
        <label className="field">
          <span>{t("report.newStatus")}</span>
          <span className="sel bare">
            <select value={status} onChange={(event) => setStatus(event.target.value as AttendanceStatus | "")}>
              {STATES.map((state) => (
                <option key={state} value={state}>
                  {stateName(t, state)}
                </option>
              ))}
              {person.override ? <option value="">{t("report.keepComputed")}</option> : null}
            </select>
            <Icon name="down" className="chev" />
          </span>
        </label>
        {status === "" ? null : (
          <label className="field">
            <span>{t("report.newMinutes")}</span>
            <input
              className="in"
              inputMode="numeric"
              maxLength={4}
              value={minutes}
              onChange={(event) => setMinutes(event.target.value.replace(/\D/g, ""))}
            />
          </label>
        )}
        <label className="field">
          <span>{t("report.reason")}</span>
          <input
            className="in"
            maxLength={300}
            value={reason}
            placeholder={t("report.reasonPlaceholder")}
            onChange={(event) => setReason(event.target.value)}
          />
        </label>
        {problem ? (
          <p className="refusal" role="alert">
            {problem}
          </p>
        ) : null}
      </div>
      <footer>
        <button type="button" className="btn" onClick={onClose}>
          {t("common.cancel")}
        </button>
        <button type="button" className="btn primary" disabled={busy} onClick={() => void save()}>
          {t("report.save")}
        </button>
      </footer>
    </Modal>
  );
}
