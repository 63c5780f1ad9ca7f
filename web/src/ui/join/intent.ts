/** What a person chose before the class page: kept for the tab, so that a reload comes back in place. */

/** The class page gets it as its own `Intent` of the same shape, so that this page need not load the class. */
export interface Intent {
  camera: boolean;
  microphone: boolean;
  listener: boolean;
}

const key = (seat: string) => `jiangtai.intent.${seat}`;

export function intentOf(seat: string): Intent | null {
  try {
    const kept = sessionStorage.getItem(key(seat));
    return kept ? (JSON.parse(kept) as Intent) : null;
  } catch {
    return null;
  }
}

export function keepIntent(seat: string, intent: Intent): void {
  sessionStorage.setItem(key(seat), JSON.stringify(intent));
}

export function forgetIntent(seat: string): void {
  sessionStorage.removeItem(key(seat));
}
