import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Decision, PersonAttendance } from "../../src/protocol/api";
import { start } from "../../src/ui/i18n";
import { OverrideDialog } from "../../src/ui/report/OverrideDialog";

const ANN = { participant: "p7", name: "Ann", computed: "absent", status: "absent", override: null } as unknown as PersonAttendance;

/** Every decision the node was sent, and whether its answers arrive. */
let told: Decision[];
let answers: boolean;
let saved: ReturnType<typeof vi.fn<() => void>>;

beforeEach(async () => {
  await start("en");
  told = [];
  answers = false;
  saved = vi.fn<() => void>();
  // What jsdom lacks and a dialog asks for.
  vi.stubGlobal("CSS", { escape: (text: string) => text });
  vi.stubGlobal("fetch", async (_: string, init: RequestInit) => {
    told.push(JSON.parse(String(init.body)));
    if (!answers) throw new TypeError("network");
    return new Response(null, { status: 204 });
  });
  render(<OverrideDialog session="c1" seat="s1" person={ANN} onClose={() => undefined} onSaved={saved} />);
  fireEvent.change(screen.getByLabelText("Reason"), { target: { value: "power cut" } });
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

async function save() {
  const before = told.length;
  const button = screen.getByRole("button", { name: "Record the correction" }) as HTMLButtonElement;
  fireEvent.click(button);
  await waitFor(() => expect(told).toHaveLength(before + 1));
  await waitFor(() => expect(answers ? saved.mock.calls.length > 0 : !button.disabled).toBe(true));
}

it("sends the same decision again under the same operation id when its answer was lost", async () => {
  await save();
  answers = true;
  await save();
  expect(told[1]).toEqual(told[0]);
});

it("sends another decision under an id of its own, since the one whose answer was lost may have been taken", async () => {
  await save();
  fireEvent.change(screen.getByLabelText("Counts as"), { target: { value: "excused" } });
  answers = true;
  await save();
  expect(told.map(({ status }) => status)).toEqual(["absent", "excused"]);
  expect(told[1]?.op).not.toBe(told[0]?.op);
});
