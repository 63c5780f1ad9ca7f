import { type FormEvent, useEffect, useId, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, type Erasure, type ErasureReceipt, type Foreseen } from "../../protocol/api";
import { codeOf } from "../../protocol/refused";
import { wordsFor } from "../parts/Refusal";
import "./erase.css";

const PERIOD_MS = 1_000;

/** What would be done, or would be refused, class by class. */
function Foresight({ list }: { list: Foreseen[] }) {
  const { t } = useTranslation();
  return (
    <ul className="erase-list">
      {list.map((one) => (
        <li key={one.session}>
          <b>{one.title || one.session}</b> <small className="num">{one.session}</small>
          <span className={one.code ? "warn" : ""}>
            {one.code
              ? t(`erase.refused.${one.code}`)
              : [
                  t("erase.records", { count: one.kinds.records ?? 0 }),
                  t("erase.statements", { count: one.kinds.statements ?? 0 }),
                  t("erase.recordings", { count: one.recordings }),
                ].join(" · ")}
          </span>
        </li>
      ))}
    </ul>
  );
}

/** What was done and found, and the signed receipt to keep. */
function Result({ receipt, note, already }: { receipt: ErasureReceipt; note: string; already: boolean }) {
  const { t } = useTranslation();
  const [address, setAddress] = useState("");
  useEffect(() => {
    const made = URL.createObjectURL(new Blob([note], { type: "text/plain" }));
    setAddress(made);
    return () => URL.revokeObjectURL(made);
  }, [note]);
  const { rows, files, log_lines, mentions } = receipt.search;
  const refused = receipt.classes.filter((one) => one.code);
  const told = new Set([...Object.values(receipt.statements.held), ...Object.values(receipt.statements.perhaps)].flat()).size;
  return (
    <div role="status">
      <p>
        <b>{already ? t("erase.already") : t("erase.done", { count: receipt.classes.length - refused.length })}</b>
      </p>
      <p className={rows + files + log_lines > 0 ? "warn" : ""}>{t("erase.found", { rows, files, lines: log_lines })}</p>
      {mentions > 0 ? <p>{t("erase.mentions", { count: mentions })}</p> : null}
      {told > 0 ? <p>{t("erase.told", { count: told })}</p> : null}
      {refused.length > 0 ? (
        <ul className="erase-list">
          {refused.map((one) => (
            <li key={one.session}>
              <small className="num">{one.session}</small> <span className="warn">{one.code ? t(`erase.refused.${one.code}`) : null}</span>
            </li>
          ))}
        </ul>
      ) : null}
      <a className="btn" href={address} download={`erasure-${receipt.id}.txt`}>
        {t("erase.receipt")}
      </a>
    </div>
  );
}

/** Erases a person: look first, then confirm by writing the subject again. */
export function Erase() {
  const { t } = useTranslation();
  const label = useId();
  const [issuer, setIssuer] = useState("");
  const [subject, setSubject] = useState("");
  const [confirm, setConfirm] = useState("");
  const [erasure, setErasure] = useState<Erasure | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const working = erasure?.state === "working" ? erasure.id : null;

  const ask = async (event: FormEvent, wanted: () => Promise<Erasure>) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      setErasure(await wanted());
    } catch (error) {
      setErasure(null);
      setProblem(wordsFor(codeOf(error)));
    }
    setConfirm("");
    setBusy(false);
  };
  const again = (change: (value: string) => void) => (event: { target: { value: string } }) => {
    change(event.target.value);
    setErasure(null);
  };

  useEffect(() => {
    if (!working) return;
    const timer = setInterval(() => {
      api.erasure(working).then(setErasure, (error) => setProblem(wordsFor(codeOf(error))));
    }, PERIOD_MS);
    return () => clearInterval(timer);
  }, [working]);

  const foreseen = erasure?.foreseen ?? null;
  return (
    <section className="card erase" aria-labelledby={label}>
      <header className="hd">
        <h2 id={label}>{t("erase.title")}</h2>
      </header>
      <div className="erase-body">
        <p className="muted s">{t("erase.lead")}</p>
        <form onSubmit={(event) => void ask(event, () => api.foreseeErasure(issuer, subject))}>
          <label className="field">
            <span>{t("erase.issuer")}</span>
            <input className="in" value={issuer} required maxLength={4096} autoComplete="off" onChange={again(setIssuer)} />
          </label>
          <label className="field">
            <span>{t("erase.subject")}</span>
            <input className="in" value={subject} required maxLength={4096} autoComplete="off" onChange={again(setSubject)} />
          </label>
          <button type="submit" className="btn" disabled={busy || working !== null}>
            {t("erase.look")}
          </button>
        </form>
        {problem ? (
          <p className="refusal" role="alert">
            {problem}
          </p>
        ) : null}
        {foreseen ? (
          <>
            <Foresight list={foreseen} />
            {foreseen.some((one) => !one.code) ? (
              <form onSubmit={(event) => void ask(event, () => api.erase(issuer, subject, confirm))}>
                <label className="field">
                  <span>{t("erase.confirm")}</span>
                  <input className="in" value={confirm} autoComplete="off" onChange={(event) => setConfirm(event.target.value)} />
                </label>
                <button type="submit" className="btn danger solid" disabled={busy || confirm !== subject}>
                  {t("erase.erase")}
                </button>
              </form>
            ) : null}
          </>
        ) : null}
        {working ? <p role="status">{t("erase.working")}</p> : null}
        {erasure?.receipt && erasure.note ? <Result receipt={erasure.receipt} note={erasure.note} already={erasure.already} /> : null}
      </div>
    </section>
  );
}
