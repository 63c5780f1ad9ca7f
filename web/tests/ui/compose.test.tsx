import { act, cleanup, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CAPABILITIES, viewOf, type Wish } from "../../screens/app/fixtures";
import type { RoomView } from "../../src/protocol/types";
import { type Classroom, type ClassState, NOTHING_YET } from "../../src/state/classroom";
import { Store } from "../../src/state/store";
import { Compose } from "../../src/ui/class/chat/Compose";
import { openDesk, PlaceContext } from "../../src/ui/class/context";
import { start } from "../../src/ui/i18n";
import { deferred } from "../media/deferred";
import { wish } from "../wish";

const post = vi.fn<Classroom["post"]>();
const field = () => screen.getByRole<HTMLTextAreaElement>("textbox");
const to = () => screen.queryByRole<HTMLSelectElement>("combobox")?.selectedOptions[0]?.textContent;
const write = (text: string) => fireEvent.change(field(), { target: { value: text } });
const press = () => fireEvent.click(screen.getByRole("button", { name: "Send" }));

function open(part: Partial<Wish> = {}) {
  const view = viewOf(wish({ role: "trainer", people: 6, chat: false, ...part }));
  const store = new Store<ClassState>({ ...NOTHING_YET, status: "online", view });
  const classroom = { store, post, ask: async () => undefined } as unknown as Classroom;
  const desk = openDesk();
  const { unmount } = render(
    <PlaceContext.Provider value={{ classroom, desk }}>
      <Compose />
    </PlaceContext.Provider>,
  );
  const change = (next: (view: RoomView) => Partial<RoomView>) =>
    act(() => store.set((state) => (state.view ? { view: { ...state.view, ...next(state.view) } } : {})));
  const settings = (part: Partial<RoomView["session"]["settings"]>) =>
    change(({ session }) => ({ session: { ...session, settings: { ...session.settings, ...part } } }));
  return { desk, change, settings, unmount };
}

beforeEach(async () => {
  await start("en");
  post.mockReset().mockResolvedValue(null);
});
afterEach(cleanup);

describe("a private message", () => {
  const ANN = { id: "p5", name: "Ann" };

  it("goes to somebody the page does not list, as in a large class", () => {
    const { desk, change } = open();
    change(({ participants }) => ({ participants: participants.filter(({ id }) => id !== ANN.id) }));
    act(() => desk.set({ writeTo: ANN }));
    expect(to()).toBe("Private: Ann");
    write("your mark is a C");
    press();
    expect(post.mock.calls).toEqual([["your mark is a C", "private", "p5"]]);
  });

  it("stays private when the person goes while it is written", () => {
    const { desk, change } = open();
    act(() => desk.set({ writeTo: ANN }));
    write("your mark is a C");
    change(({ participants }) => ({ participants: participants.filter(({ id }) => id !== ANN.id) }));
    press();
    expect(post.mock.calls).toEqual([["your mark is a C", "private", "p5"]]);
  });

  it("stays among staff when its author may no longer write privately", () => {
    const { desk, change } = open();
    act(() => desk.set({ writeTo: ANN }));
    write("your mark is a C");
    change(() => ({ capabilities: CAPABILITIES.trainee }));
    press();
    expect(post.mock.calls).toEqual([["your mark is a C", "staff", undefined]]);
  });

  it("begun before a reload is for the same person after it, and takes no focus", () => {
    const { desk, unmount } = open();
    act(() => desk.set({ writeTo: ANN }));
    expect(document.activeElement).toBe(field());
    write("your mark is a C");
    unmount();
    open();
    expect([field().value, to()]).toEqual(["your mark is a C", "Private: Ann"]);
    expect(document.activeElement).not.toBe(field());
  });

  it("that is refused comes back with whom it was for", async () => {
    const { desk } = open();
    act(() => desk.set({ writeTo: ANN }));
    write("your mark is a C");
    const refused = deferred<string>();
    post.mockReturnValue(refused.promise);
    press();
    fireEvent.change(screen.getByRole("combobox"), { target: { value: "everyone" } });
    expect([field().value, to()]).toEqual(["", "Everybody"]);
    refused.resolve("no_such_participant");
    await waitFor(() => expect([field().value, to()]).toEqual(["your mark is a C", "Private: Ann"]));
  });

  it("is over once everybody is chosen", () => {
    const { desk } = open();
    act(() => desk.set({ writeTo: ANN }));
    fireEvent.change(screen.getByRole("combobox"), { target: { value: "everyone" } });
    write("hello");
    press();
    expect(post.mock.calls).toEqual([["hello", "everyone", undefined]]);
  });
});

describe("what a trainee writes while only staff may be written to", () => {
  it("is for the staff also when the chat is opened before it is sent", () => {
    const { settings } = open({ role: "trainee", settings: { chat: "staff" } });
    write("I feel unwell");
    settings({ chat: "open" });
    expect(to()).toBe("Staff");
    press();
    expect(post.mock.calls).toEqual([["I feel unwell", "staff", undefined]]);
  });

  it("does not keep later messages from everybody", () => {
    const { settings } = open({ role: "trainee", settings: { chat: "staff" } });
    write("I feel unwell");
    press();
    settings({ chat: "open" });
    write("hello");
    press();
    expect(post.mock.calls.at(-1)).toEqual(["hello", "everyone", undefined]);
  });
});
