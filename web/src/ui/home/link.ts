const LINK = /(?:^|\/)join\/?#(?:[^#\s]*&)?(token|invite)=([A-Za-z0-9_.~-]{8,2048})/;

/** The local address of a pasted class link, or null when it is none. Links of other sites are opened here: the secret decides, not the host. */
export function classAddress(text: string): string | null {
  const found = LINK.exec(text.trim());
  return found ? `/join#${found[1]}=${found[2]}` : null;
}
