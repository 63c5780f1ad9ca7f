import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { drawnHeight, Viewport } from "../../src/media/viewport";

describe("a drawn picture", () => {
  it("covers its box, or lies whole within it", () => {
    expect(drawnHeight({ width: 320, height: 200 }, 9 / 16, "cover")).toBe(200);
    expect(drawnHeight({ width: 390, height: 700 }, 9 / 16, "contain")).toBeCloseTo(219.4, 1);
    expect(drawnHeight({ width: 1600, height: 450 }, 9 / 16, "contain")).toBe(450);
  });

  it("held upright is cut by a wide box that it covers", () => {
    expect(drawnHeight({ width: 320, height: 200 }, 16 / 9, "cover")).toBeCloseTo(568.9, 1);
  });

  it("in no box has no height", () => expect(drawnHeight({ width: 0, height: 0 }, 9 / 16, "cover")).toBe(0));
});

/** Observers and sizes that the test moves; jsdom lays nothing out. */
let crossed: (entries: { target: Element; isIntersecting: boolean }[]) => void;
let viewport: Viewport;
let changes: number;

function video(width: number, height: number): HTMLVideoElement {
  const element = document.createElement("video");
  Object.defineProperties(element, { clientWidth: { value: width }, clientHeight: { value: height } });
  return element;
}
function front(state: DocumentVisibilityState): void {
  Object.defineProperty(document, "visibilityState", { configurable: true, value: state });
  document.dispatchEvent(new Event("visibilitychange"));
}

beforeEach(() => {
  vi.stubGlobal(
    "IntersectionObserver",
    class {
      constructor(tell: typeof crossed) {
        crossed = tell;
      }
      observe(): void {}
      unobserve(): void {}
      disconnect(): void {}
    },
  );
  changes = 0;
  viewport = new Viewport(() => {
    changes += 1;
  });
});
afterEach(() => {
  viewport.close();
  front("visible");
  vi.stubGlobal("devicePixelRatio", 1);
});

describe("a viewport", () => {
  it("asks for nothing that was not scrolled into view", () => {
    const element = video(320, 200);
    element.style.objectFit = "cover";
    viewport.look("3", element);
    expect(viewport.heightOf("3")).toBe(0);
    crossed([{ target: element, isIntersecting: true }]);
    expect(viewport.heightOf("3")).toBe(200);
    crossed([{ target: element, isIntersecting: false }]);
    expect(viewport.heightOf("3")).toBe(0);
    expect(viewport.heightOf("4")).toBe(0);
  });

  it("counts the screen's own pixels", () => {
    vi.stubGlobal("devicePixelRatio", 2);
    const element = video(320, 180);
    viewport.look("3", element);
    crossed([{ target: element, isIntersecting: true }]);
    expect(viewport.heightOf("3")).toBe(360);
  });

  it("asks for nothing while the page is behind, and says so", () => {
    const element = video(320, 180);
    viewport.look("3", element);
    crossed([{ target: element, isIntersecting: true }]);
    const before = changes;
    front("hidden");
    expect(changes).toBe(before + 1);
    expect(viewport.heightOf("3")).toBe(0);
    front("visible");
    expect(viewport.heightOf("3")).toBe(180);
  });

  it("asks for the tallest of two elements that show the same", () => {
    const [small, large] = [video(160, 90), video(1280, 720)];
    viewport.look("3", small);
    const stop = viewport.look("3", large);
    crossed([
      { target: small, isIntersecting: true },
      { target: large, isIntersecting: true },
    ]);
    expect(viewport.heightOf("3")).toBe(720);
    stop();
    expect(viewport.heightOf("3")).toBe(90);
  });

  it("follows an element that shows another mid now", () => {
    const element = video(320, 180);
    viewport.look("3", element)();
    viewport.look("4", element);
    crossed([{ target: element, isIntersecting: true }]);
    expect([viewport.heightOf("3"), viewport.heightOf("4")]).toEqual([0, 180]);
  });

  it("does not ask for another size because two layers differ by a pixel in shape", () => {
    const element = video(480, 400);
    element.style.objectFit = "contain";
    viewport.look("3", element);
    crossed([{ target: element, isIntersecting: true }]);
    const height = viewport.heightOf("3");
    Object.defineProperties(element, { videoWidth: { value: 212 }, videoHeight: { value: 120 } });
    element.dispatchEvent(new Event("resize"));
    expect(viewport.heightOf("3")).toBe(height);
  });
});
