// Writes .br and .gz next to every text file of the build so that the server can send them as they are.
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const TEXT = /\.(js|css|html|svg|json|txt|webmanifest)$/;
const MIN_BYTES = 1024;

function* files(folder) {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) yield* files(path);
    else yield path;
  }
}

for (const path of files(process.argv[2])) {
  if (!TEXT.test(path) || statSync(path).size < MIN_BYTES) continue;
  const bytes = readFileSync(path);
  writeFileSync(`${path}.br`, brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }));
  writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }));
}

// A page before the class must be usable in two seconds on a slow phone: what index.html asks for, with the larger catalogue.
const BUDGET_BYTES = 200_000;
const root = process.argv[2];
const wanted = [...readFileSync(join(root, "index.html"), "utf8").matchAll(/(?:src|href)="\/(assets\/[^"]+\.(?:js|css))"/g)].map(
  (found) => found[1],
);
const catalogues = readdirSync(join(root, "assets")).filter((name) => /^(zh|en)-.*\.js$/.test(name));
const weigh = (name) => gzipSync(readFileSync(join(root, name)), { level: 9 }).length;
const entry = wanted.reduce((sum, name) => sum + weigh(name), 0) + Math.max(...catalogues.map((name) => weigh(join("assets", name))));
console.log(`before the class page: ${(entry / 1000).toFixed(0)} kB compressed (${wanted.map((name) => basename(name)).length} files)`);
if (entry > BUDGET_BYTES) throw new Error(`the entry weighs ${entry} bytes, ${BUDGET_BYTES} allowed`);
