import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { npm } from "./npm.mjs";
import { nodePackage } from "./node-versions.mjs";
import { CACHE, Expected } from "./places.mjs";

const BINARY = process.platform === "win32" ? "node.exe" : "node";

/**
 * Path of a brought Node, whether it is there already or not.
 *
 * @param {string} version
 */
export function broughtNode(version) {
  return join(CACHE, `node-${version}`, "bin", BINARY);
}

/**
 * Brings a Node from the package registry into the checkout's cache, once; answers the path of its binary.
 *
 * It comes through npm, so the user's registry, proxy and certificates hold, and is compared with the hash that this repository knows.
 * It is renamed into place whole, after it has run once: a crash leaves none, or a good one.
 *
 * One caller at a time: see `prepareNode`.
 *
 * @param {string} version
 * @param {{ signal: AbortSignal }} options
 * @returns {Promise<string>}
 */
export async function bringNode(version, { signal }) {
  const binary = broughtNode(version);
  if (existsSync(binary)) return binary;
  const wanted = nodePackage(version);
  if (!wanted)
    throw new Expected(
      `no Node ${version} is known for ${process.platform}-${process.arch}; install Node ${version} or newer and run the command with it.`,
    );
  const workplace = join(CACHE, `.node-${version}`);
  await rm(workplace, { recursive: true, force: true }); // of one that was killed
  try {
    await fetchPackage(wanted, workplace, signal);
    await mustRun(join(workplace, "node_modules", wanted.name, "bin", BINARY), version);
    await rename(join(workplace, "node_modules", wanted.name), join(CACHE, `node-${version}`));
  } finally {
    await rm(workplace, { recursive: true, force: true });
  }
  return binary;
}

async function fetchPackage({ name, version, integrity }, folder, signal) {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "package.json"), JSON.stringify({ private: true }));
  await npm(["install", `${name}@${version}`, "--prefix", folder, "--no-save", "--ignore-scripts", "--no-audit", "--no-fund"], {
    cwd: folder,
    signal,
  });
  const lock = JSON.parse(await readFile(join(folder, "node_modules", ".package-lock.json"), "utf8"));
  const found = lock.packages[`node_modules/${name}`]?.integrity;
  if (found !== integrity)
    throw new Expected(`${name}@${version} from your registry is not the one that this repository knows (${found}); it was not used.`);
}

async function mustRun(binary, version) {
  const answer = await promisify(execFile)(binary, ["--version"]).then(
    (done) => done.stdout.trim(),
    (error) => error.message,
  );
  if (answer !== `v${version}`)
    throw new Expected(
      `Node ${version} from the registry does not run on this machine (${answer}); install Node ${version} or newer and run the command with it.`,
    );
}
