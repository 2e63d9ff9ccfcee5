// SPDX-License-Identifier: ISC
import { defineConfig } from "vite";

// A strict Content-Security-Policy forbids inline scripts and data: modules,
// so nothing is inlined. The terminal's code is loaded when one is opened.
export default defineConfig({
  esbuild: { jsx: "automatic", jsxImportSource: "preact" },
  build: {
    target: "es2022",
    outDir: "dist",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
});
