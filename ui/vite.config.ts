import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

export default defineConfig({
  build: {
    outDir: fileURLToPath(new URL("../src/dynalens/console", import.meta.url)),
    emptyOutDir: true,
    // The first versions with light-dark(), which the tokens are written in.
    target: ["chrome123", "firefox120", "safari17.5"],
    // Icons stay files: what a page may load then needs no exception but its own server.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // ECharts is the largest chunk and comes only where a line is drawn.
    chunkSizeWarningLimit: 700,
  },
  server: {
    host: "127.0.0.1",
    proxy: { "/api": process.env.DYNALENS_URL ?? "http://127.0.0.1:7070" },
  },
  test: {
    environment: "jsdom",
    include: ["tests/**/*.test.{ts,tsx}", "src/**/*.test.{ts,tsx}"],
    setupFiles: ["tests/setup.ts"],
    css: { modules: { classNameStrategy: "non-scoped" } },
    restoreMocks: true,
    testTimeout: 60_000,
  },
});
