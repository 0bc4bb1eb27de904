import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { npm } from "./npm.mjs";
import { CACHE, Expected, ROOT } from "./places.mjs";

/**
 * `start` is what the shop needs to run, `all` adds what the checks need. `all` satisfies `start`.
 *
 * @typedef {"start" | "all"} Extent
 */

const SATISFIED_BY = { start: ["start", "all"], all: ["all"] };
const MODULES = join(ROOT, "node_modules");
const STAMP = join(MODULES, ".postrider.json"); // inside: who deletes node_modules deletes the stamp
const UNFINISHED = join(CACHE, "install.unfinished");

/**
 * Whether what the lock file asks for is installed. Reads two small files; also knows an install that was made by hand.
 *
 * @param {Extent} extent
 */
export function isInstalled(extent) {
  if (existsSync(UNFINISHED)) return false;
  const stamp = readJson(STAMP);
  if (stamp?.lock === lockHash()) return SATISFIED_BY[extent].includes(stamp.extent);
  return holdsWhatIsLocked(extent);
}

/**
 * Installs what the lock file says, without any install script.
 *
 * A folder that is there is added to, not deleted first as `npm ci` does, because a shop may be running from it.
 * One that an install left half done is deleted: a package that was cut short looks whole to npm.
 *
 * @param {Extent} extent
 * @param {{ signal: AbortSignal }} options
 */
export async function install(extent, { signal }) {
  if (existsSync(UNFINISHED)) await rm(MODULES, { recursive: true, force: true });
  await mkdir(CACHE, { recursive: true });
  await writeFile(UNFINISHED, "");
  const dev = extent === "all" ? "--include=dev" : "--omit=dev";
  await npm(["install", dev, "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--engine-strict=false"], { cwd: ROOT, signal });
  if (!holdsWhatIsLocked(extent))
    throw new Expected("npm installed something other than package-lock.json asks for; delete node_modules and run the command again.");
  await writeFile(STAMP, JSON.stringify({ lock: lockHash(), extent }));
  await rm(UNFINISHED);
}

/** npm notes in `node_modules/.package-lock.json` what it has put there. */
function holdsWhatIsLocked(extent) {
  const locked = readJson(join(ROOT, "package-lock.json"))?.packages ?? {};
  const present = readJson(join(MODULES, ".package-lock.json"))?.packages ?? {};
  return Object.entries(locked).every(([path, { version, dev, optional, devOptional, link }]) => {
    const isNeeded = path.includes("node_modules/") && !optional && !link && (extent === "all" || !(dev || devOptional));
    return !isNeeded || present[path]?.version === version;
  });
}

function lockHash() {
  return createHash("sha256")
    .update(readFileSync(join(ROOT, "package-lock.json")))
    .digest("hex");
}

function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    if (error.code === "ENOENT" || error instanceof SyntaxError) return undefined;
    throw error;
  }
}
