import { describe, expect, it } from "vitest";
import { viewOf } from "../../screens/app/fixtures";
import { noticeOf } from "../../src/state/notices";
import { mainPerson, mayChat, mayPublish, stagePeople } from "../../src/state/select";
import { fold, rowsOf } from "../../src/ui/class/people/rows";
import { layoutOf } from "../../src/ui/class/stage/Stage";
import { wish } from "../wish";

describe("who may switch on what", () => {
  it("a trainee on stage in a live class", () => expect(mayPublish(viewOf(wish()), "microphone")).toEqual({ ok: true }));
  it("not before the class, not in the break", () => {
    expect(mayPublish(viewOf(wish({ phase: "lobby" })), "microphone")).toEqual({ ok: false, why: "phase" });
    expect(mayPublish(viewOf(wish({ phase: "break" })), "camera")).toEqual({ ok: false, why: "phase" });
  });
  it("staff in every phase but the end", () => {
    expect(mayPublish(viewOf(wish({ role: "trainer", phase: "scheduled" })), "camera").ok).toBe(true);
    expect(mayPublish(viewOf(wish({ role: "trainer", phase: "ended" })), "camera").ok).toBe(false);
  });
  it("nobody off stage", () => expect(mayPublish(viewOf(wish({ profile: "large" })), "microphone")).toEqual({ ok: false, why: "stage" }));
  it("nobody but staff in a frozen class", () => {
    expect(mayPublish(viewOf(wish({ settings: { frozen: true } })), "microphone")).toEqual({ ok: false, why: "frozen" });
    expect(mayPublish(viewOf(wish({ role: "assistant", settings: { frozen: true } })), "microphone").ok).toBe(true);
  });
  it("no screen where screens are switched off", () => {
    expect(mayPublish(viewOf(wish()), "screen")).toEqual({ ok: false, why: "blocked" });
    expect(mayPublish(viewOf(wish({ settings: { screens: true } })), "screen").ok).toBe(true);
  });
  it("an inspector never", () => expect(mayPublish(viewOf(wish({ role: "inspector" })), "microphone")).toEqual({ ok: false, why: "role" }));
});

describe("who may write", () => {
  it("trainees to staff only, where so set", () =>
    expect(mayChat(viewOf(wish({ settings: { chat: "staff" } })))).toMatchObject({ ok: true, staffOnly: true }));
  it("staff even when the chat is off", () => {
    expect(mayChat(viewOf(wish({ settings: { chat: "off" } })))).toMatchObject({ ok: false, why: "off" });
    expect(mayChat(viewOf(wish({ role: "trainer", settings: { chat: "off" } }))).ok).toBe(true);
  });
  it("an inspector never", () => expect(mayChat(viewOf(wish({ role: "inspector" })))).toMatchObject({ ok: false, why: "role" }));
});

describe("the stage", () => {
  it("has staff first, the trainer before all", () => {
    const people = stagePeople(viewOf(wish()));
    expect(people[0]?.role).toBe("trainer");
    expect(people[1]?.role).toBe("assistant");
  });
  it("shows large whom the trainer chose, else the trainer", () => {
    const view = viewOf(wish());
    expect(mainPerson(view, ["p3"])?.id).toBe("p0");
    expect(mainPerson({ ...view, main: "p3" }, [])?.id).toBe("p3");
  });
  it("without staff shows large who talks", () => {
    const view = viewOf(wish());
    const alone = { ...view, participants: view.participants.filter((each) => each.role === "trainee") };
    expect(mainPerson(alone, ["p4"])?.id).toBe("p4");
  });
  it("puts a shared screen before any wish, and a break before everything", () => {
    const view = viewOf(wish());
    expect(layoutOf({ ...view, screen: "p0" }, "gallery")).toBe("screen");
    expect(layoutOf(viewOf(wish({ phase: "break" })), "gallery")).toBe("phase");
  });
  it("is a gallery in a small class, one large picture in a large one", () => {
    expect(layoutOf(viewOf(wish()), "auto")).toBe("gallery");
    expect(layoutOf(viewOf(wish({ profile: "large" })), "auto")).toBe("speaker");
  });
});

describe("the people list", () => {
  it("has hands first, in their order", () => {
    const rows = rowsOf(viewOf(wish({ role: "trainer", people: 30, hands: 3 })), "", [], "en");
    const stage = rows.filter((row) => row.kind === "person" && row.person.role === "trainee");
    expect(stage.slice(0, 3).map((row) => (row.kind === "person" ? row.hand : 0))).toEqual([1, 2, 3]);
  });
  it("finds names whatever their accents and case", () => {
    expect(fold("  Élodie ")).toBe("elodie");
    const rows = rowsOf(viewOf(wish({ people: 30 })), "NATARAJÁN", [], "en");
    expect(rows.filter((row) => row.kind === "person")).toHaveLength(1);
  });
  it("adds people known from pages once", () => {
    const view = viewOf(wish({ people: 5 }));
    const more = [...view.participants, { ...view.participants[0], id: "far", name: "Far Away" } as (typeof view.participants)[number]];
    expect(rowsOf(view, "", more, "en").filter((row) => row.kind === "person")).toHaveLength(6);
  });
});

describe("notices", () => {
  const view = viewOf(wish());
  const about = (event: Parameters<typeof noticeOf>[1]["event"], by?: string) => noticeOf(view, { seq: 1, at: 1, by, event });
  it("tell a person who was muted by another, not who muted themselves", () => {
    expect(about({ type: "microphone_changed", participant: view.me, on: false }, "p0")).toEqual({ kind: "muted" });
    expect(about({ type: "microphone_changed", participant: view.me, on: false }, view.me)).toBeNull();
    expect(about({ type: "microphone_changed", participant: "p5", on: false }, "p0")).toBeNull();
  });
  it("tell hands to those who manage them", () => {
    const event = { type: "hand_raised", participant: "p5", who: { name: "Ann", role: "trainee" } } as const;
    expect(about(event)).toBeNull();
    expect(noticeOf(viewOf(wish({ role: "trainer" })), { seq: 1, at: 1, event })).toEqual({ kind: "hand", name: "Ann" });
  });
});
