import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { parseSync } from "vite";
import { describe, expect, it } from "vitest";
import { ERROR_CODES } from "../../src/protocol/types.gen";
import { preferred } from "../../src/ui/i18n";
import { en } from "../../src/ui/i18n/en";
import { zh } from "../../src/ui/i18n/zh";

function keys(tree: object, path = ""): string[] {
  return Object.entries(tree).flatMap(([key, value]) =>
    typeof value === "string" ? [`${path}${key}`] : keys(value as object, `${path}${key}.`),
  );
}
const plain = (list: string[]) => [...new Set(list.map((key) => key.replace(/_(one|other)$/, "")))].sort();
const text = (tree: object, key: string): string =>
  key.split(".").reduce((node, part) => (node as Record<string, object>)[part] ?? {}, tree) as unknown as string;
const holes = (words: string) => [...words.matchAll(/\{\{(\w+)\}\}/g)].map((each) => each[1]).sort();

describe("the catalogues", () => {
  it("have the same keys", () => expect(plain(keys(en))).toEqual(plain(keys(zh))));

  it("have the same holes to fill", () => {
    for (const key of keys(zh)) expect([key, holes(text(en, key))]).toEqual([key, holes(text(zh, key))]);
  });

  it("leave nothing empty", () => {
    for (const tree of [zh, en]) for (const key of keys(tree)) expect(text(tree, key).trim(), key).not.toBe("");
  });

  it("have both plurals in English wherever there is a count", () => {
    for (const key of keys(en).filter((each) => each.endsWith("_other"))) expect(keys(en)).toContain(key.replace(/_other$/, "_one"));
  });

  it("have words for every error code of the server", () => {
    for (const code of Object.keys(ERROR_CODES)) expect(keys(zh), code).toContain(`errors.${code}`);
  });
});

describe("the language", () => {
  it("is Chinese for any kind of Chinese, else English", () => {
    expect(preferred(["zh-TW", "en"])).toBe("zh-CN");
    expect(preferred(["fr", "zh"])).toBe("zh-CN");
    expect(preferred(["en-GB"])).toBe("en");
    expect(preferred([])).toBe("en");
  });
});

function* sources(folder: string): Generator<string> {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) yield* sources(path);
    else if (path.endsWith(".tsx")) yield path;
  }
}

type Node = { type: string; value?: unknown; name?: { name?: string }; [key: string]: unknown };
const SPOKEN = new Set(["aria-label", "title", "placeholder", "alt", "label", "text", "heading"]);

/** Words a person would read or hear, written into a component instead of a catalogue. */
function literals(node: unknown, found: string[] = []): string[] {
  if (Array.isArray(node)) for (const each of node) literals(each, found);
  else if (node && typeof node === "object") {
    const each = node as Node;
    if (each.type === "JSXText" && /\p{L}{2,}/u.test(String(each.value))) found.push(String(each.value).trim());
    if (each.type === "JSXAttribute" && SPOKEN.has(each.name?.name ?? "")) {
      const value = each.value as Node | null;
      if (value?.type === "Literal" && /\p{L}{2,}/u.test(String(value.value))) found.push(String(value.value));
    }
    for (const value of Object.values(each)) if (value && typeof value === "object") literals(value, found);
  }
  return found;
}

describe("the components", () => {
  for (const path of sources("src/ui")) {
    it(`${path} says nothing by itself`, () => {
      expect(literals(parseSync(path, readFileSync(path, "utf8")).program)).toEqual([]);
    });
  }

  it("would be caught if they did", () => {
    expect(literals(parseSync("x.tsx", 'const a = <b title="Hello">World {t("x")}</b>;').program)).toEqual(["Hello", "World"]);
  });
});
