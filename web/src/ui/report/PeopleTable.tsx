import { Fragment, useState } from "react";
import { useTranslation } from "react-i18next";
import type { PersonAttendance, Report } from "../../protocol/api";
import type { AttendanceStatus } from "../../protocol/types";
import { Avatar } from "../parts/Avatar";
import { Icon } from "../parts/Icon";
import { OverrideDialog } from "./OverrideDialog";
import { type Column, namesakes, type Order, rowsOf } from "./rows";
import { Timeline } from "./Timeline";
import { minutesOf, noteOf, STATE_LOOK, STATES, stateName } from "./words";
import "./sheet.css";

const COLUMNS: readonly Column[] = ["name", "status", "connected", "delivered", "answered", "hours"];
const DOTS = 8;

interface Props {
  report: Report;
  seat: string | null;
  decides: boolean;
  onChanged: () => void;
}

function Share({ part, whole, low }: { part: number; whole: number; low?: boolean }) {
  const { t } = useTranslation();
  return (
    <div className="v">
      {t("report.minutes", { count: minutesOf(part) })}
      <i className="mini" aria-hidden="true">
        <i className={low ? "low" : ""} style={{ width: `${whole > 0 ? Math.min(100, (part / whole) * 100) : 0}%` }} />
      </i>
    </div>
  );
}

interface RowProps {
  person: PersonAttendance;
  /** Somebody else has the same name. */
  namesake: boolean;
  report: Report;
  decides: boolean;
  onDecide: () => void;
}

function Row({ person, namesake, report, decides, onDecide }: RowProps) {
  const { t, i18n } = useTranslation();
  const [open, setOpen] = useState(false);
  const look = STATE_LOOK[person.status];
  const id = `details-${person.participant}`;
  const dots = person.checks_asked > 0 && person.checks_asked <= DOTS ? person.checks_asked : 0;
  return (
    <Fragment>
      <tr className={open ? "opened" : ""}>
        <td className="wh">
          <button type="button" className="who" aria-expanded={open} aria-controls={open ? id : undefined} onClick={() => setOpen(!open)}>
            <Avatar id={person.participant} name={person.name} />
            <span className="named">
              <b title={person.name}>{person.name}</b>
              {namesake && person.subject ? (
                <small className="muted" title={person.subject}>
                  {person.subject}
                </small>
              ) : null}
            </span>
            <Icon name={open ? "up" : "down"} className="i14" />
          </button>
        </td>
        <td className="st">
          <span className={`chip ${look.tone}`}>
            <Icon name={look.icon} className="i14" />
            {stateName(t, person.status)}
          </span>
        </td>
        <td className="n" data-l={t("report.connected")}>
          <Share part={person.connected_ms} whole={report.countable_ms} />
        </td>
        <td className="n" data-l={t("report.delivered")}>
          <Share part={person.delivered_ms} whole={report.countable_ms} low={person.delivered_ms < person.connected_ms * 0.8} />
        </td>
        <td className="n" data-l={t("report.answered")}>
          <div className="v">
            {person.checks_asked > 0 ? `${person.checks_answered}/${person.checks_asked}` : "–"}
            <span className="dots" aria-hidden="true">
              {Array.from({ length: dots }, (_, i) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: dots have no other name
                <i key={i} className={i < person.checks_answered ? "y" : ""} />
              ))}
            </span>
          </div>
        </td>
        <td className="n hr" data-l={t("report.hours")}>
          {person.hours}
        </td>
        <td className="nt">
          {report.expected > 0 && !person.expected ? <span className="chip">{t("report.notListed")}</span> : null}
          {noteOf(t, person, report.ended_at !== null, i18n.language)}
        </td>
      </tr>
      {open ? (
        <tr className="more" id={id}>
          <td colSpan={7}>
            <div className="facts-line s muted num">
              <span>{t("report.computed", { status: stateName(t, person.computed) })}</span>
              {person.subject ? <span className="account">{t("report.subject", { subject: person.subject })}</span> : null}
              {person.bridged_ms > 0 ? <span>{t("report.bridgedTotal", { count: minutesOf(person.bridged_ms) })}</span> : null}
              {decides ? (
                <button type="button" className="btn sm" onClick={onDecide}>
                  {t("report.override")}
                </button>
              ) : null}
            </div>
            <Timeline segments={person.segments} idle={report.idle} from={report.started_at ?? 0} to={report.ended_at ?? report.now} />
          </td>
        </tr>
      ) : null}
    </Fragment>
  );
}

/** Everybody, to be searched, filtered and sorted; each row opens to when that person was there. */
export function PeopleTable({ report, seat, decides, onChanged }: Props) {
  const { t, i18n } = useTranslation();
  const [state, setState] = useState<AttendanceStatus | "all">("all");
  const [query, setQuery] = useState("");
  const [order, setOrder] = useState<Order>({ by: "status", up: true });
  const [deciding, setDeciding] = useState<PersonAttendance | null>(null);
  const rows = rowsOf(report.people, { state, query, order, language: i18n.language });
  const twins = namesakes(report.people);
  const counts = STATES.map((each) => [each, report.people.filter((person) => person.status === each).length] as const);
  const sort = (by: Column) => setOrder({ by, up: order.by === by ? !order.up : by === "name" || by === "status" });
  return (
    <>
      <div className="bar">
        <fieldset className="states num" aria-label={t("report.filter")}>
          <button type="button" aria-pressed={state === "all"} onClick={() => setState("all")}>
            {t("report.all")} {report.people.length}
          </button>
          {counts
            .filter(([each, count]) => count > 0 || each === state)
            .map(([each, count]) => (
              <button key={each} type="button" aria-pressed={state === each} onClick={() => setState(each)}>
                {stateName(t, each)} {count}
              </button>
            ))}
        </fieldset>
        <div className="lookup">
          <Icon name="search" className="i16" />
          <input
            className="in"
            type="search"
            value={query}
            aria-label={t("report.search")}
            placeholder={t("report.search")}
            onChange={(event) => setQuery(event.target.value)}
          />
        </div>
      </div>
      {rows.length === 0 ? (
        <div className="empty" role="status">
          <span className="ico">
            <Icon name="search" />
          </span>
          <b>{t("report.none")}</b>
        </div>
      ) : (
        <table className="num sheet">
          <thead>
            <tr>
              {COLUMNS.map((each) => (
                <th
                  key={each}
                  scope="col"
                  className={each}
                  aria-sort={order.by === each ? (order.up ? "ascending" : "descending") : undefined}
                >
                  <button type="button" title={t("report.sortBy", { column: t(`report.${each}`) })} onClick={() => sort(each)}>
                    {t(`report.${each}`)}
                    {order.by === each ? <Icon name={order.up ? "up" : "down"} className="i14" /> : null}
                  </button>
                </th>
              ))}
              <th scope="col" className="note">
                {t("report.note")}
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map((person) => (
              <Row
                key={person.participant}
                person={person}
                namesake={twins.has(person.name)}
                report={report}
                decides={decides}
                onDecide={() => setDeciding(person)}
              />
            ))}
          </tbody>
        </table>
      )}
      <p className="tf s muted num" role="status">
        {t("report.shown", { shown: rows.length, total: report.people.length })}
      </p>
      {deciding ? (
        <OverrideDialog
          session={report.session}
          seat={seat}
          person={deciding}
          onClose={() => setDeciding(null)}
          onSaved={() => {
            setDeciding(null);
            onChanged();
          }}
        />
      ) : null}
    </>
  );
}
