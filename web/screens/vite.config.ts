import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** The pages with fixtures instead of a server; never part of the product's build. */
export default defineConfig({
  root: here("./app"),
  base: "/",
  publicDir: here("../public"),
  plugins: [react()],
  resolve: { alias: [{ find: /^.*\/media\/netcheck$/, replacement: here("./app/netcheck.ts") }] },
  build: { outDir: here("../dist/screens"), emptyOutDir: true, target: "es2022", assetsInlineLimit: 0, modulePreload: { polyfill: false } },
});
