// SPDX-License-Identifier: ISC
// usage: node pack.mjs [DIST [OUT]]
//
// What vite has built, as proxyd is compiled with it: OUT/console.bin has the
// files one behind the other, each plain and then gzipped; OUT/console.def has
// a row for each:
//
//	F(path, type, etag, lasting, at, len, gz_at, gz_len)
//
// at and len are of the plain one. A lasting file has its content's hash in
// its name. The document is at "/".
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { extname, join } from "node:path";
import { gzipSync } from "node:zlib";

const [dist = "dist", out = dist] = process.argv.slice(2);
const types = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};
const bodies = [], rows = [];
let at = 0;

function put(body) {
  const here = at;

  bodies.push(body);
  at += body.length;
  return `${here}, ${body.length}`;
}

for (const e of readdirSync(dist, { recursive: true, withFileTypes: true })) {
  const file = join(e.parentPath ?? e.path, e.name);
  const type = types[extname(e.name)];
  if (!e.isFile() || type === undefined)
    continue;
  const body = readFileSync(file);
  const name = file.slice(dist.length).replaceAll("\\", "/");
  const path = name === "/index.html" ? "/" : name;
  const lasting = /-[\w-]{8}\.\w+$/.test(name) ? 1 : 0;
  const etag = createHash("sha256").update(body).digest("hex").slice(0, 16);
  rows.push(`F("${path}", "${type}", "${etag}", ${lasting}, ` +
    `${put(body)}, ${put(gzipSync(body, { level: 9 }))})`);
}
writeFileSync(join(out, "console.bin"), Buffer.concat(bodies));
writeFileSync(join(out, "console.def"), rows.sort().join("\n") + "\n");
