import { act, cleanup, render } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { viewOf } from "../../screens/app/fixtures";
import { type Classroom, type ClassState, NOTHING_YET } from "../../src/state/classroom";
import { Store } from "../../src/state/store";
import { openDesk, PlaceContext } from "../../src/ui/class/context";
import { start } from "../../src/ui/i18n";
import { type Intent, keepIntent } from "../../src/ui/join/intent";
import { go } from "../../src/ui/route";
import { Waiting } from "../../src/ui/waiting/Waiting";
import { wish } from "../wish";

/** What the browser was asked to open. */
let asked: string[];

beforeEach(async () => {
  await start("en");
  asked = [];
  const mediaDevices = {
    getUserMedia: async (wanted: object) => {
      asked.push(...Object.keys(wanted));
      throw new DOMException("no", "NotAllowedError");
    },
    enumerateDevices: async () => [],
  };
  Object.defineProperty(navigator, "mediaDevices", { configurable: true, value: mediaDevices });
  vi.stubGlobal("isSecureContext", true);
  go("/class/s1");
});
afterEach(() => {
  cleanup();
  Reflect.deleteProperty(navigator, "mediaDevices");
  vi.unstubAllGlobals();
  go("/");
});

async function wait(intent: Intent) {
  keepIntent("s1", intent);
  const view = viewOf(wish({ people: 3, chat: false }));
  const classroom = { store: new Store<ClassState>({ ...NOTHING_YET, status: "online", view }), leave: vi.fn() } as unknown as Classroom;
  await act(async () => {
    render(
      <PlaceContext.Provider value={{ classroom, desk: openDesk() }}>
        <Waiting />
      </PlaceContext.Provider>,
    );
  });
  return asked.sort();
}

it("opens no device of who chose to listen only", async () =>
  expect(await wait({ camera: false, microphone: false, listener: true })).toEqual([]));

it("opens the microphone alone of who does not want to be seen", async () =>
  expect(await wait({ camera: false, microphone: true, listener: false })).toEqual(["audio"]));

it("opens what will be used in class", async () =>
  expect(await wait({ camera: true, microphone: true, listener: false })).toEqual(["audio", "video"]));
