/** Plays received voices: one audio element per audio m-line, apart from pictures, through the chosen speaker. */

interface Sink {
  setSinkId?(id: string): Promise<void>;
}

export class Player {
  #elements = new Map<string, HTMLAudioElement>();
  #speaker: string | null = null;
  #blocked: (blocked: boolean) => void;

  constructor(blocked: (blocked: boolean) => void) {
    this.#blocked = blocked;
  }

  /** Exactly these streams sound from now on, by mid. */
  play(streams: Readonly<Record<string, MediaStream>>): void {
    for (const [mid, element] of this.#elements) {
      if (streams[mid]) continue;
      element.srcObject = null;
      this.#elements.delete(mid);
    }
    for (const [mid, stream] of Object.entries(streams)) {
      let element = this.#elements.get(mid);
      if (element?.srcObject === stream) continue;
      element ??= new Audio();
      this.#elements.set(mid, element);
      element.srcObject = stream;
      this.#route(element);
      this.#start(element);
    }
  }

  /** To be called from a click: browsers then allow sound. */
  async unlock(): Promise<void> {
    const results = await Promise.allSettled([...this.#elements.values()].map((element) => element.play()));
    this.#blocked(results.some((result) => result.status === "rejected" && (result.reason as DOMException).name === "NotAllowedError"));
  }

  use(speaker: string | null): void {
    this.#speaker = speaker;
    for (const element of this.#elements.values()) this.#route(element);
  }

  stop(): void {
    this.play({});
  }

  #route(element: HTMLAudioElement): void {
    void (element as Sink).setSinkId?.(this.#speaker ?? "").catch(() => undefined);
  }

  #start(element: HTMLAudioElement): void {
    element.play().catch((error: DOMException) => {
      if (error.name === "NotAllowedError") this.#blocked(true);
    });
  }
}
