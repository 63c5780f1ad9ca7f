import { useCallback, useEffect, useRef, useState } from "react";
import { api, type OwnAttendance, type Report } from "../../protocol/api";
import { codeOf } from "../../protocol/refused";
import type { Role } from "../../protocol/types";

const LIVE_MS = 20_000;

export interface Loaded {
  report: Report | null;
  /** In place of the report, for those who may only see themselves. */
  own: OwnAttendance | null;
  code: string | null;
  again: () => void;
}

/** The role of a seat of this browser: undefined until known, null when no seat is named or it cannot be read. */
export function useRole(seat: string | null): Role | null | undefined {
  const [role, setRole] = useState<Role | null | undefined>(seat ? undefined : null);
  useEffect(() => {
    if (!seat) return;
    let gone = false;
    api.seat(seat).then(
      (info) => !gone && setRole(info.role),
      () => !gone && setRole(null),
    );
    return () => {
      gone = true;
    };
  }, [seat]);
  return role;
}

/** The report, read again every 20 s while the class goes on; the own record for those who may not see it. */
export function useReport(session: string, seat: string | null, role: Role | null | undefined, policy: string | null): Loaded {
  const [report, setReport] = useState<Report | null>(null);
  const [own, setOwn] = useState<OwnAttendance | null>(null);
  const [code, setCode] = useState<string | null>(null);
  const newest = useRef(0);
  const read = useCallback(async () => {
    const turn = ++newest.current;
    const current =
      <T>(use: (value: T) => void) =>
      (value: T) => {
        if (turn === newest.current) use(value);
      };
    const readOwn = async () => current(setOwn)(await api.ownAttendance(session, seat));
    try {
      if (role === "trainee") await readOwn();
      else current(setReport)(await api.report(session, seat, policy));
      current(setCode)(null);
    } catch (error) {
      const why = codeOf(error);
      // A link without a seat: whose it is shows by what it may see.
      if (why !== "not_allowed" || role === "trainee") return current(setCode)(why);
      await readOwn().then(
        () => current(setCode)(null),
        (refused) => current(setCode)(codeOf(refused)),
      );
    }
  }, [session, seat, role, policy]);
  const live = (report ?? own)?.ended_at == null;
  const known = role !== undefined;
  useEffect(() => {
    if (known) void read();
  }, [known, read]);
  useEffect(() => {
    if (!live || !known) return;
    const timer = setInterval(() => void read(), LIVE_MS);
    return () => clearInterval(timer);
  }, [live, known, read]);
  return { report, own, code, again: () => void read() };
}
