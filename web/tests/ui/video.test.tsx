import { cleanup, render } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { NO_MEDIA } from "../../src/media/view";
import { type Classroom, type ClassState, NOTHING_YET } from "../../src/state/classroom";
import { Store } from "../../src/state/store";
import { type Desk, PlaceContext } from "../../src/ui/class/context";
import { Video } from "../../src/ui/class/stage/Video";

const stream = (name: string) => ({ name }) as unknown as MediaStream;
let drawn: ReturnType<typeof vi.fn>;
let look: ReturnType<typeof vi.fn>;
let unlook: ReturnType<typeof vi.fn>;

function show(props: Parameters<typeof Video>[0]) {
  const media = { look } as unknown as Classroom["media"];
  const classroom = { media, store: new Store<ClassState>({ ...NOTHING_YET, media: NO_MEDIA }) } as unknown as Classroom;
  const place = { classroom, desk: new Store({} as Desk) };
  const page = (next: typeof props) => (
    <PlaceContext.Provider value={place}>
      <Video {...next} />
    </PlaceContext.Provider>
  );
  const { container, rerender, unmount } = render(page(props));
  const video = container.querySelector("video") as HTMLVideoElement;
  const still = container.querySelector("canvas") as HTMLCanvasElement;
  return { video, still, change: (next: Partial<typeof props>) => rerender(page({ ...props, ...next })), unmount };
}

/** As if a picture had arrived. */
function picture(video: HTMLVideoElement) {
  Object.defineProperties(video, { readyState: { configurable: true, value: 4 }, videoWidth: { value: 640 }, videoHeight: { value: 360 } });
  video.dispatchEvent(new Event("loadeddata"));
}

beforeEach(() => {
  drawn = vi.fn();
  unlook = vi.fn();
  look = vi.fn(() => unlook);
  HTMLCanvasElement.prototype.getContext = (() => ({ drawImage: drawn })) as unknown as HTMLCanvasElement["getContext"];
});
afterEach(cleanup);

describe("a video", () => {
  it("that comes from another stream shows its last picture until the next one is there", () => {
    const { video, still, change } = show({ stream: stream("a"), fit: "cover", label: "Ann" });
    picture(video);
    expect(still.hidden).toBe(true);
    change({ stream: stream("b") });
    expect(drawn).toHaveBeenCalledTimes(1);
    expect([still.hidden, still.width, still.height]).toEqual([false, 640, 360]);
    picture(video);
    expect([still.hidden, still.width]).toEqual([true, 0]);
  });

  it("that never showed anything keeps nothing", () => {
    const { still, change } = show({ stream: stream("a"), fit: "cover", label: "Ann" });
    change({ stream: stream("b") });
    expect(drawn).not.toHaveBeenCalled();
    expect(still.hidden).toBe(true);
  });

  it("stays on the page while it is held", () => {
    const { video, still, change } = show({ stream: stream("a"), fit: "cover", label: "Ann" });
    const before = video.srcObject;
    change({ held: true });
    expect([video.className.includes("held"), still.className.includes("held")]).toEqual([true, true]);
    expect(video.srcObject).toEqual(before);
    change({ held: false });
    expect(video.className).not.toContain("held");
  });

  it("is looked at as what arrives on its m-line, and no longer than that", () => {
    const { video, change, unmount } = show({ stream: stream("a"), mid: "3", fit: "cover", label: "Ann" });
    expect(look).toHaveBeenLastCalledWith("3", video);
    change({ mid: "4" });
    expect(unlook).toHaveBeenCalledTimes(1);
    expect(look).toHaveBeenLastCalledWith("4", video);
    unmount();
    expect(unlook).toHaveBeenCalledTimes(2);
  });

  it("of one's own device is not asked for", () => {
    show({ stream: stream("a"), fit: "cover", label: "Ann" });
    expect(look).not.toHaveBeenCalled();
  });
});
