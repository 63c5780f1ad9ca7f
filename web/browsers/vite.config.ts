import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** The publisher alone with a receiver in the same page; never part of the product's build. */
export default defineConfig({
  root: here("./app"),
  base: "/",
  publicDir: false,
  build: { outDir: here("../dist/browsers"), emptyOutDir: true, target: "es2022", modulePreload: { polyfill: false } },
});
