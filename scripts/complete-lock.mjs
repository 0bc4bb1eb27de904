// Adds to package-lock.json the optional packages of other platforms that npm left out because the registry in use did not serve them:
// without them `npm ci` refuses the lock file. They have no integrity; a later `npm install` from a complete registry fills it in.
// Run by hand after `npm install` has changed the lock file:  node scripts/complete-lock.mjs
import { readFileSync, writeFileSync } from "node:fs";

const LOCK = new URL("../package-lock.json", import.meta.url);
const SYSTEMS = ["android", "darwin", "freebsd", "linux", "openharmony", "win32"];
const PROCESSORS = ["arm64", "arm", "ia32", "ppc64", "riscv64", "s390x", "x64", "loong64", "wasm32"];

const lock = JSON.parse(readFileSync(LOCK, "utf8"));
let added = 0;
for (const [parent, found] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(found.optionalDependencies ?? {})) {
    if (lock.packages[`node_modules/${name}`] || lock.packages[`${parent}/node_modules/${name}`]) continue;
    lock.packages[`node_modules/${name}`] = entryFor(name, version, found);
    added++;
  }
}
const byPath = Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, "en"));
writeFileSync(LOCK, `${JSON.stringify({ ...lock, packages: Object.fromEntries(byPath) }, null, 2)}\n`);
console.log(`${added} added`);

/** The platform stands in the name: `@oxlint/binding-linux-arm64-musl`. */
function entryFor(name, version, { dev }) {
  const parts = name.split(/[-/]/);
  const os = SYSTEMS.filter((system) => parts.includes(system));
  const cpu = PROCESSORS.filter((processor) => parts.includes(processor));
  return { version, ...(os.length > 0 && { os }), ...(cpu.length > 0 && { cpu }), ...(dev && { dev }), optional: true };
}
