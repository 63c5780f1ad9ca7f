import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Erasure } from "../../src/protocol/api";
import { start } from "../../src/ui/i18n";
import { Erase } from "../../src/ui/operator/Erase";

const NOTHING: Erasure = { state: "foreseen", id: null, foreseen: null, receipt: null, note: null, already: false };
const FORESEEN: Erasure = {
  ...NOTHING,
  foreseen: [
    { session: "c1", title: "Knots", code: null, kinds: { records: 25, statements: 1 }, recordings: 0 },
    { session: "c2", title: "Ropes", code: "class_not_over", kinds: {}, recordings: 0 },
  ],
};
const DONE: Erasure = {
  ...NOTHING,
  state: "done",
  id: "e1",
  note: "the signed note",
  receipt: {
    id: "e1",
    classes: [
      { session: "c1", outcome: "erased", code: null, records: 25 },
      { session: "c2", outcome: "refused", code: "class_not_over", records: 0 },
    ],
    statements: { held: { lrs: ["s1"] }, perhaps: {} },
    search: { rows: 0, files: 0, log_lines: 0, mentions: 2, namesakes: 0, kept: 3 },
  },
};

/** What the node was asked, and what it answers. */
let asked: [string, string, unknown][] = [];
let answers: (Erasure | { status: number; code: string })[] = [];

beforeEach(async () => {
  await start("en");
  [asked, answers] = [[], []];
  URL.createObjectURL = () => "blob:receipt";
  URL.revokeObjectURL = () => undefined;
  vi.stubGlobal("fetch", async (path: string, init: RequestInit) => {
    asked.push([init.method ?? "GET", path, init.body ? JSON.parse(String(init.body)) : null]);
    const answer = answers.shift();
    if (answer && "code" in answer && "status" in answer)
      return new Response(JSON.stringify({ error: { code: answer.code, retry: "never" } }), { status: answer.status });
    return new Response(JSON.stringify(answer), { status: 200 });
  });
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

const write = (label: string, value: string) => fireEvent.change(screen.getByLabelText(label), { target: { value } });
const press = (name: string) => fireEvent.click(screen.getByRole("button", { name }));

async function look() {
  answers.push(FORESEEN);
  render(<Erase />);
  write("Issuer of the person's tokens", "https://lms.example");
  write("Subject, in the issuer's terms", "u-4711");
  press("Show what would go");
  await screen.findByText("Knots");
}

it("shows what would go before anything goes", async () => {
  await look();
  expect(asked).toEqual([["POST", "/api/v1/erasures", { issuer: "https://lms.example", subject: "u-4711", dry_run: true }]]);
  expect(screen.getByText(/25 records made nameless · 1 statement deleted/)).toBeTruthy();
  expect(screen.getByText("Refused: the class is not over")).toBeTruthy();
  expect((screen.getByRole("button", { name: "Erase for good" }) as HTMLButtonElement).disabled).toBe(true);
});

it("erases once the subject was written again, waits for the end and gives the receipt", async () => {
  await look();
  write("Write the subject again to confirm", "u-471");
  expect((screen.getByRole("button", { name: "Erase for good" }) as HTMLButtonElement).disabled).toBe(true);
  write("Write the subject again to confirm", "u-4711");
  answers.push({ ...NOTHING, state: "working", id: "e1" }, DONE);
  press("Erase for good");
  await screen.findByText("Erasing. You may leave this page.");
  const receipt = await screen.findByRole("link", { name: "Save the signed receipt" }, { timeout: 5_000 });
  expect(receipt.getAttribute("download")).toBe("erasure-e1.txt");
  expect(asked.slice(1)).toEqual([
    ["POST", "/api/v1/erasures", { issuer: "https://lms.example", subject: "u-4711", confirm: "u-4711" }],
    ["GET", "/api/v1/erasures/e1", null],
  ]);
  expect(screen.getByText("Erased from 1 class")).toBeTruthy();
  expect(screen.getByText("Found afterwards: 0 rows, 0 files, 0 log lines")).toBeTruthy();
  expect(screen.getByText(/1 statement may still be in a records store/)).toBeTruthy();
});

it("asks for a new look when somebody else is meant", async () => {
  await look();
  write("Subject, in the issuer's terms", "u-4712");
  expect(screen.queryByRole("button", { name: "Erase for good" })).toBeNull();
});

it("says why there is nothing to erase", async () => {
  render(<Erase />);
  write("Issuer of the person's tokens", "node");
  write("Subject, in the issuer's terms", "who");
  answers.push({ status: 404, code: "no_such_person" });
  press("Show what would go");
  await waitFor(() => expect(screen.getByRole("alert").textContent).toContain("Nobody of that issuer and subject"));
});
