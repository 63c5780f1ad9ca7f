import { useId, useState } from "react";
import { useTranslation } from "react-i18next";
import { Icon } from "../../parts/Icon";
import { Modal } from "../../parts/Modal";
import { useClassroom, useDesk, useView } from "../context";

const LETTERS = "ABCDEFGHIJ";
const MOST = 10;

interface Option {
  key: number;
  text: string;
}

/** Writes a poll: at once, or kept as a draft for the right moment. */
export function PollComposer() {
  const { t } = useTranslation();
  const classroom = useClassroom();
  const desk = useDesk();
  const id = useId();
  const another = useView((view) => view.polls.some((poll) => poll.state === "open"));
  const [question, setQuestion] = useState("");
  const [options, setOptions] = useState<Option[]>([
    { key: 1, text: "" },
    { key: 2, text: "" },
  ]);
  const [multiple, setMultiple] = useState(false);
  const [anonymous, setAnonymous] = useState(false);
  const [tried, setTried] = useState(false);
  const close = () => desk.set({ dialog: null });
  const filled = options.map((each) => each.text.trim()).filter(Boolean);
  const ready = question.trim() !== "" && filled.length >= 2;
  const save = (open: boolean) => {
    if (!ready) return setTried(true);
    void classroom.send({ type: "create_poll", question: question.trim(), options: filled, multiple, anonymous, open }).then((code) => {
      if (code !== null) return;
      close();
      desk.set({ panel: "polls", side: true });
    });
  };
  const write = (key: number, text: string) => setOptions((now) => now.map((each) => (each.key === key ? { key, text } : each)));
  return (
    <Modal title={t("polls.new")} open onClose={close}>
      <div className="dialog-body">
        <label className="field">
          <span>{t("polls.question")}</span>
          <textarea
            className="in"
            rows={2}
            maxLength={300}
            value={question}
            placeholder={t("polls.questionPlaceholder")}
            onChange={(event) => setQuestion(event.target.value)}
          />
        </label>
        <div className="field">
          <span id={id}>{t("polls.options")}</span>
          <div className="options" role="group" aria-labelledby={id}>
            {options.map((each, i) => (
              <div key={each.key}>
                <b>{LETTERS[i]}</b>
                <input
                  className="in"
                  value={each.text}
                  maxLength={120}
                  aria-label={t("polls.option", { n: LETTERS[i] })}
                  onChange={(event) => write(each.key, event.target.value)}
                />
                <button
                  type="button"
                  className="btn ghost icon-only"
                  disabled={options.length <= 2}
                  aria-label={t("polls.removeOption", { n: LETTERS[i] })}
                  onClick={() => setOptions(options.filter((other) => other.key !== each.key))}
                >
                  <Icon name="cross" className="i16" />
                </button>
              </div>
            ))}
          </div>
          {options.length < MOST ? (
            <button
              type="button"
              className="btn sm"
              onClick={() => setOptions([...options, { key: Math.max(...options.map((each) => each.key)) + 1, text: "" }])}
            >
              <Icon name="plus" className="i16" />
              {t("polls.addOption")}
            </button>
          ) : null}
        </div>
        <div>
          <label className="line flat">
            <span className="t">
              <b>{t("polls.multiple")}</b>
            </span>
            <input
              className="switch"
              type="checkbox"
              role="switch"
              checked={multiple}
              onChange={(event) => setMultiple(event.target.checked)}
            />
          </label>
          <label className="line flat">
            <span className="t">
              <b>{t("polls.anonymous")}</b>
              <span>{t("polls.anonymousHint")}</span>
            </span>
            <input
              className="switch"
              type="checkbox"
              role="switch"
              checked={anonymous}
              onChange={(event) => setAnonymous(event.target.checked)}
            />
          </label>
        </div>
        {tried && !ready ? (
          <p className="refusal" role="alert">
            {t("polls.needQuestion")}
          </p>
        ) : null}
      </div>
      <footer>
        <button type="button" className="btn" onClick={() => save(false)}>
          {t("polls.draft")}
        </button>
        <button
          type="button"
          className="btn primary"
          disabled={another}
          title={another ? t("polls.oneOpen") : undefined}
          onClick={() => save(true)}
        >
          {t("polls.open")}
        </button>
      </footer>
    </Modal>
  );
}
