const COLOURS = ["#0f7b66", "#5663b8", "#96622f", "#27788c", "#8a4f9e", "#a8485f", "#52702f", "#7a5c46"];

/** The same colour for the same person everywhere: a small hash of the id. */
export function colourOf(id: string): string {
  let hash = 0;
  for (const letter of id) hash = (hash * 31 + (letter.codePointAt(0) ?? 0)) >>> 0;
  return COLOURS[hash % COLOURS.length] ?? "#0f7b66";
}

/** The first letter of a name as a reader sees it. */
export function initial(name: string): string {
  const first = [...name.trim()][0];
  return first ? first.toUpperCase() : "·";
}

export function Avatar({ id, name, className = "" }: { id: string; name: string; className?: string }) {
  return (
    <span className={`avatar ${className}`} style={{ background: colourOf(id) }} aria-hidden="true">
      {initial(name)}
    </span>
  );
}
