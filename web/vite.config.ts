import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [react()],
  build: { target: "es2022", sourcemap: false, assetsInlineLimit: 0, modulePreload: { polyfill: false }, cssCodeSplit: true },
  server: { proxy: { "/api": "http://127.0.0.1:8080", "/rt": { target: "ws://127.0.0.1:8080", ws: true } } },
});
