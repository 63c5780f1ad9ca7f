import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import type { PersonAttendance } from "../../src/protocol/api";
import { attendancePath } from "../../src/protocol/api";
import { i18next, start } from "../../src/ui/i18n";
import { namesakes, rowsOf } from "../../src/ui/report/rows";
import { minutesOf, noteOf, policyName, sheetPath } from "../../src/ui/report/words";
import { parse, reportPath } from "../../src/ui/route";

const NOON = Date.UTC(2026, 3, 18, 4, 0, 0);

function person(name: string, part: Partial<PersonAttendance> = {}): PersonAttendance {
  return {
    participant: name,
    name,
    subject: `lms:${name}`,
    came: true,
    expected: true,
    connected_ms: 0,
    delivered_ms: 0,
    bridged_ms: 0,
    ratio: 0,
    first_at: null,
    last_at: null,
    segments: [],
    checks_asked: 0,
    checks_answered: 0,
    computed: "present",
    status: "present",
    minutes: 0,
    hours: 0,
    override: null,
    ...part,
  };
}

const PEOPLE = [
  person("Zoe", { connected_ms: 10, checks_asked: 2, checks_answered: 1 }),
  person("ann 10", { status: "absent" }),
  person("Ann 2", { status: "late", connected_ms: 5, checks_asked: 2, checks_answered: 2 }),
];
const names = (list: PersonAttendance[]) => list.map((each) => each.name);
const wanted = { state: "all", query: "", language: "en" } as const;

beforeAll(() => start("en"));

describe("the table", () => {
  it("begins with who needs attention", () =>
    expect(names(rowsOf(PEOPLE, { ...wanted, order: { by: "status", up: true } }))).toEqual(["ann 10", "Ann 2", "Zoe"]));

  it("finds people by their account, and knows who has a namesake", () => {
    const two = [
      person("王伟", { participant: "a", subject: "lms:7" }),
      person("王伟", { participant: "b", subject: "lms:8" }),
      person("Zoe"),
    ];
    const found = rowsOf(two, { ...wanted, query: "LMS:8", order: { by: "name", up: true } });
    expect(found.map((each) => each.participant)).toEqual(["b"]);
    expect([...namesakes(two)]).toEqual(["王伟"]);
    expect(rowsOf([person("Own", { subject: null })], { ...wanted, query: "own", order: { by: "name", up: true } })).toHaveLength(1);
  });

  it("sorts names as people read them, both ways", () => {
    expect(names(rowsOf(PEOPLE, { ...wanted, order: { by: "name", up: true } }))).toEqual(["Ann 2", "ann 10", "Zoe"]);
    expect(names(rowsOf(PEOPLE, { ...wanted, order: { by: "name", up: false } }))).toEqual(["Zoe", "ann 10", "Ann 2"]);
  });

  it("sorts by share of checks answered, those never asked last", () =>
    expect(names(rowsOf(PEOPLE, { ...wanted, order: { by: "answered", up: true } }))).toEqual(["Zoe", "Ann 2", "ann 10"]));

  it("searches without regard to case and filters by state", () => {
    const order = { by: "name", up: true } as const;
    expect(names(rowsOf(PEOPLE, { ...wanted, query: " ANN ", order }))).toEqual(["Ann 2", "ann 10"]);
    expect(names(rowsOf(PEOPLE, { ...wanted, state: "late", order }))).toEqual(["Ann 2"]);
  });

  it("leaves the list it was given alone", () => {
    rowsOf(PEOPLE, { ...wanted, order: { by: "name", up: true } });
    expect(PEOPLE[0]?.name).toBe("Zoe");
  });
});

describe("the note beside a person", () => {
  const { t } = i18next;
  it("says a decision with author, reason and what it was before", () => {
    const override = { status: "present", minutes: null, reason: "power cut", by: "Min Wang", at: NOON } as const;
    const told = noteOf(t, person("a", { computed: "late", status: "present", override }), true, "en");
    expect(told).toBe("Corrected by Min Wang: power cut (was Late)");
  });

  it("says who never came, and when others came and went", () => {
    expect(noteOf(t, person("a", { computed: "absent" }), true, "en")).toBe("Never came in");
    const late = person("a", { computed: "late", first_at: NOON, last_at: NOON + 60_000 });
    expect(noteOf(t, late, true, "en")).toMatch(/^In .+, out .+/);
    expect(noteOf(t, late, false, "en")).toMatch(/still here$/);
    expect(noteOf(t, person("a", { first_at: NOON, last_at: NOON }), true, "en")).toBe("");
  });
});

describe("small words", () => {
  it("count whole minutes", () => expect([minutesOf(59_999), minutesOf(60_000)]).toEqual([0, 1]));
  it("name policies, unknown ones by their id", () => {
    expect(policyName(i18next.t, { id: "standard", version: 1 })).toBe("Standard, version 1");
    expect(policyName(i18next.t, { id: "county-7", version: 3 })).toBe("county-7, version 3");
  });
});

describe("addresses", () => {
  it("lead to the report and back", () => {
    expect(parse("/report/abc_1-2")).toEqual({ page: "report", session: "abc_1-2" });
    expect(parse("/report/a/b")).toEqual({ page: "lost" });
    expect(reportPath("abc", "s1")).toBe("/report/abc?seat=s1");
    expect(reportPath("abc", null)).toBe("/report/abc");
  });
  it("leave out what is not asked", () => {
    expect(attendancePath("abc", ".csv", { lang: "en", offset: -60, seat: null })).toBe("/classes/abc/attendance.csv?lang=en&offset=-60");
    expect(attendancePath("a/b", "", {})).toBe("/classes/a%2Fb/attendance");
  });
});

describe("a sheet of the report", () => {
  const [winter, summer] = [Date.UTC(2026, 0, 15, 9), Date.UTC(2026, 6, 15, 9)];
  afterEach(() => vi.restoreAllMocks());

  it("has the times of the day of the class, whatever the season it is asked for in", () => {
    vi.spyOn(Date.prototype, "getTimezoneOffset").mockImplementation(function (this: Date) {
      return this.getTime() === summer ? -120 : -60;
    });
    const asked = { lang: "en", seat: null, policy: null };
    const offset = (started_at: number | null, now: number) =>
      new URL(sheetPath({ session: "c1", started_at, now }, "csv", asked), "http://x").searchParams.get("offset");
    expect([offset(summer, winter), offset(winter, summer), offset(null, summer)]).toEqual(["120", "60", "120"]);
  });
});
