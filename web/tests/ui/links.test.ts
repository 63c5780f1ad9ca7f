import { describe, expect, it } from "vitest";
import { isTyping } from "../../src/ui/class/keys";
import { columnsFor, placesIn } from "../../src/ui/class/stage/Gallery";
import { classAddress } from "../../src/ui/home/link";
import { bitrate } from "../../src/ui/operator/overview";
import { initial } from "../../src/ui/parts/Avatar";
import { clock } from "../../src/ui/parts/time";
import { parse } from "../../src/ui/route";

describe("a pasted link", () => {
  it("is opened here, whatever host it names", () => {
    expect(classAddress(" https://class.example/join#token=abc.DEF-123_x ")).toBe("/join#token=abc.DEF-123_x");
    expect(classAddress("/join#invite=abcdefgh")).toBe("/join#invite=abcdefgh");
  });
  it("is refused when it is none", () => {
    for (const text of [
      "",
      "hello",
      "https://class.example/",
      "javascript:alert(1)",
      "/join#token=a b c d e f g h",
      "/join#other=abcdefghi",
    ])
      expect(classAddress(text)).toBeNull();
  });
});

describe("addresses", () => {
  it("name their pages", () => {
    expect(parse("/")).toEqual({ page: "home" });
    expect(parse("/class/abc_-9")).toEqual({ page: "class", seat: "abc_-9" });
    expect(parse("/class/../etc")).toEqual({ page: "lost" });
    expect(parse("/nothing")).toEqual({ page: "lost" });
  });
});

describe("shortcuts", () => {
  it("rest while a field, a menu or a dialog has the focus", () => {
    document.body.innerHTML = '<input id="a"><div role="dialog"><button id="b"></button></div><button id="c"></button>';
    expect(isTyping(document.getElementById("a"))).toBe(true);
    expect(isTyping(document.getElementById("b"))).toBe(true);
    expect(isTyping(document.getElementById("c"))).toBe(false);
    expect(isTyping(null)).toBe(false);
  });
});

describe("figures", () => {
  it("are times of a clock", () => {
    expect(clock(75_000)).toBe("1:15");
    expect(clock(3_675_000)).toBe("1:01:15");
    expect(clock(-5)).toBe("0:00");
  });
  it("are bit rates in a fitting unit", () => {
    expect(bitrate(820)).toEqual(["820", "kbit/s"]);
    expect(bitrate(2_340)).toEqual(["2.34", "Mbit/s"]);
    expect(bitrate(6_290_000)).toEqual(["6.29", "Gbit/s"]);
  });
  it("are initials of any script", () => {
    expect(initial("王敏")).toBe("王");
    expect(initial(" ana")).toBe("A");
    expect(initial("𠮷田")).toBe("𠮷");
    expect(initial("")).toBe("·");
  });
  it("make a gallery that wastes little", () => {
    const wide = { width: 1040, height: 640 };
    expect([1, 2, 3, 4, 5, 9, 16].map((count) => columnsFor(count, wide))).toEqual([1, 2, 2, 2, 3, 3, 4]);
    expect(columnsFor(6, { width: 380, height: 330 })).toBe(2);
    expect(columnsFor(3, { width: 400, height: 900 })).toBe(1);
  });
  it("turn the page before faces become too small", () => {
    expect(placesIn({ width: 1040, height: 640 })).toBe(16);
    expect(placesIn({ width: 420, height: 760 })).toBeLessThan(16);
    expect(placesIn({ width: 100, height: 60 })).toBe(1);
  });
});
