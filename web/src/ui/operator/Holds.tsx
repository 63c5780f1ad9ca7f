import { useCallback, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, type Hold } from "../../protocol/api";
import { codeOf } from "../../protocol/refused";
import { Icon } from "../parts/Icon";
import { Confirm, Modal } from "../parts/Modal";
import { wordsFor } from "../parts/Refusal";
import "./holds.css";

/** Open holds, newest first, page by page. */
function useHolds(): { holds: Hold[]; more: boolean; code: string | null; read: () => void; readOn: () => void } {
  const [holds, setHolds] = useState<Hold[]>([]);
  const [next, setNext] = useState<number | null>(null);
  const [code, setCode] = useState<string | null>(null);
  const get = useCallback(async (before: number | null) => {
    try {
      const page = await api.holds(before);
      setHolds((known) => (before === null ? page.holds : [...known, ...page.holds]));
      setNext(page.next);
      setCode(null);
    } catch (error) {
      setCode(codeOf(error));
    }
  }, []);
  useEffect(() => void get(null), [get]);
  return { holds, more: next !== null, code, read: () => void get(null), readOn: () => void get(next) };
}

/** Adds a hold of a class, or of all classes of a person, with a reason. */
function AddDialog({ onClose, onAdded }: { onClose: () => void; onAdded: () => void }) {
  const { t } = useTranslation();
  const [person, setPerson] = useState(false);
  const [fields, setFields] = useState({ session: "", issuer: "", subject: "", reason: "" });
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const asked = person ? (["issuer", "subject"] as const) : (["session"] as const);
  const save = async () => {
    const told = { reason: fields.reason.trim(), ...Object.fromEntries(asked.map((name) => [name, fields[name].trim()])) };
    if (Object.values(told).some((value) => value === "")) return setProblem(t("holds.fieldsNeeded"));
    setBusy(true);
    try {
      await api.addHold(told);
      onAdded();
    } catch (error) {
      const code = codeOf(error);
      // An id of another form is no class's either.
      setProblem(!person && (code === "not_found" || code === "bad_message") ? t("holds.noSuchClass") : wordsFor(code));
      setBusy(false);
    }
  };
  const field = (name: "session" | "issuer" | "subject" | "reason", placeholder?: string) => (
    <label key={name} className="field">
      <span>{t(`holds.${name}`)}</span>
      <input
        className="in"
        maxLength={name === "reason" ? 500 : 400}
        value={fields[name]}
        placeholder={placeholder}
        autoComplete="off"
        spellCheck={name === "reason"}
        onChange={(event) => setFields({ ...fields, [name]: event.target.value })}
      />
    </label>
  );
  return (
    <Modal title={t("holds.add")} open onClose={onClose}>
      <div className="dialog-body">
        <p className="s muted">{t("holds.lead")}</p>
        <fieldset className="seg hold-what">
          <legend className="sr">{t("holds.what")}</legend>
          {[false, true].map((each) => (
            <button key={String(each)} type="button" aria-pressed={person === each} onClick={() => setPerson(each)}>
              {t(each ? "holds.ofPerson" : "holds.ofClass")}
            </button>
          ))}
        </fieldset>
        {asked.map((name) => field(name))}
        {field("reason", t("holds.reasonPlaceholder"))}
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
          {t("holds.save")}
        </button>
      </footer>
    </Modal>
  );
}

/** Legal holds: what is held and why, one more, one less. */
export function Holds() {
  const { t, i18n } = useTranslation();
  const { holds, more, code, read, readOn } = useHolds();
  const [adding, setAdding] = useState(false);
  const [lifting, setLifting] = useState<Hold | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const day = new Intl.DateTimeFormat(i18n.language, { year: "numeric", month: "short", day: "numeric" });
  const what = (hold: Hold) => hold.session || t("holds.person", { subject: hold.subject, issuer: hold.issuer });
  const lift = async (hold: Hold) => {
    try {
      await api.liftHold(hold.number);
      setProblem(null);
    } catch (error) {
      setProblem(wordsFor(codeOf(error)));
    }
    read();
  };
  const wrong = problem ?? (code === null ? null : wordsFor(code));
  return (
    <section className="card holds" aria-label={t("holds.title")}>
      <header className="hd">
        <h2>{t("holds.title")}</h2>
        {holds.length > 0 ? <span className="note num">{`${holds.length}${more ? "+" : ""}`}</span> : null}
        <div className="grow" />
        <button type="button" className="btn sm" data-key="hold-add" onClick={() => setAdding(true)}>
          <Icon name="plus" className="i16" />
          {t("holds.add")}
        </button>
      </header>
      {wrong ? (
        <p className="refusal" role="alert">
          {wrong}
        </p>
      ) : null}
      {holds.length === 0 ? (
        <p className="s muted nothing">{t("holds.none")}</p>
      ) : (
        <ul>
          {holds.map((hold) => (
            <li key={hold.number}>
              <Icon name="lock" className="i16" />
              <div>
                <b className="num">{what(hold)}</b>
                <span>{hold.reason}</span>
                <small className="num">{t("holds.since", { time: day.format(hold.at), by: hold.by })}</small>
              </div>
              <button
                type="button"
                className="btn sm"
                aria-label={t("holds.liftOf", { what: what(hold) })}
                onClick={() => setLifting(hold)}
              >
                {t("holds.lift")}
              </button>
            </li>
          ))}
        </ul>
      )}
      {more ? (
        <button type="button" className="btn sm more" onClick={readOn}>
          {t("holds.more")}
        </button>
      ) : null}
      {adding ? (
        <AddDialog
          onClose={() => setAdding(false)}
          onAdded={() => {
            setAdding(false);
            read();
          }}
        />
      ) : null}
      <Confirm
        title={t("holds.liftTitle")}
        text={lifting ? t("holds.liftText", { what: what(lifting), reason: lifting.reason }) : undefined}
        action={t("holds.lift")}
        open={lifting !== null}
        onClose={() => setLifting(null)}
        onConfirm={() => lifting && void lift(lifting)}
      />
    </section>
  );
}
