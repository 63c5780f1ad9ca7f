/** Which received pictures can be seen on this page and how tall: size of their elements, device pixels, scrolled into view, page in front. */

/** Until the first picture has come, and what most cameras and screens send. */
const USUAL_RATIO = 9 / 16;
/** Layers of one picture may differ by a pixel in shape; a person who turns the phone changes it by more. */
const SAME_RATIO = 0.05;

export interface Box {
  width: number;
  height: number;
}

/** How tall a picture of this shape (height / width) is drawn in a box: the whole of it within, or covering the box. CSS pixels. */
export function drawnHeight(box: Box, ratio: number, fit: "cover" | "contain"): number {
  if (box.width <= 0 || box.height <= 0) return 0;
  const across = box.width * ratio;
  return fit === "cover" ? Math.max(box.height, across) : Math.min(box.height, across);
}

interface Look {
  mid: string;
  inView: boolean;
  ratio: number;
  /** Device pixels. */
  height: number;
}

export class Viewport {
  #looks = new Map<HTMLVideoElement, Look>();
  #changed: () => void;
  #resized = new ResizeObserver((entries) => this.#again(entries.map((entry) => entry.target)));
  #crossed = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      const look = this.#looks.get(entry.target as HTMLVideoElement);
      if (look) look.inView = entry.isIntersecting;
    }
    this.#again(entries.map((entry) => entry.target));
  });

  constructor(changed: () => void) {
    this.#changed = changed;
    // Zooming, or moving to a screen with other pixels, may leave the element's CSS size as it is.
    addEventListener("resize", this.#everything);
    document.addEventListener("visibilitychange", this.#changed);
  }

  /** This element shows what arrives on this mid, until the returned function is called. */
  look(mid: string, element: HTMLVideoElement): () => void {
    const look = { mid, inView: false, ratio: USUAL_RATIO, height: 0 };
    this.#looks.set(element, look);
    const shaped = () => this.#again([element]);
    element.addEventListener("resize", shaped);
    this.#resized.observe(element);
    this.#crossed.observe(element);
    return () => {
      element.removeEventListener("resize", shaped);
      this.#resized.unobserve(element);
      this.#crossed.unobserve(element);
      if (this.#looks.get(element) === look) this.#looks.delete(element);
      this.#changed();
    };
  }

  /** Device pixels of the tallest of this mid's elements, 0 if none is seen. */
  heightOf(mid: string): number {
    if (document.visibilityState === "hidden") return 0;
    let tallest = 0;
    for (const look of this.#looks.values()) if (look.mid === mid && look.inView) tallest = Math.max(tallest, look.height);
    return tallest;
  }

  close(): void {
    removeEventListener("resize", this.#everything);
    document.removeEventListener("visibilitychange", this.#changed);
    this.#resized.disconnect();
    this.#crossed.disconnect();
    this.#looks.clear();
  }

  #everything = (): void => this.#again([...this.#looks.keys()]);

  #again(elements: readonly Element[]): void {
    for (const element of elements) {
      const look = this.#looks.get(element as HTMLVideoElement);
      if (look) measure(element as HTMLVideoElement, look);
    }
    this.#changed();
  }
}

function measure(element: HTMLVideoElement, look: Look): void {
  const { videoWidth, videoHeight } = element;
  if (videoWidth > 0 && videoHeight > 0) {
    const ratio = videoHeight / videoWidth;
    if (Math.abs(ratio / look.ratio - 1) > SAME_RATIO) look.ratio = ratio;
  }
  const fit = getComputedStyle(element).objectFit === "contain" ? "contain" : "cover";
  const box = { width: element.clientWidth, height: element.clientHeight };
  look.height = drawnHeight(box, look.ratio, fit) * devicePixelRatio;
}
