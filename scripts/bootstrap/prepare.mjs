import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { install, isInstalled } from "./dependencies.mjs";
import { withLock } from "./lock.mjs";
import { PINNED_NODE } from "./node-versions.mjs";
import { bringNode, broughtNode } from "./node.mjs";
import { CACHE } from "./places.mjs";

const LOCK = join(CACHE, "install.lock");
const PINNED_MAJOR = Number(PINNED_NODE.split(".")[0]);
const SIGNALS = ["SIGINT", "SIGTERM"];

/**
 * Makes the checkout ready to run, and answers the path of the Node to run it with.
 *
 * Does nothing where all is there. Else one process installs while others on the same checkout wait for it.
 * Stops: on SIGINT and SIGTERM npm is stopped, the lock is freed and the process ends by that signal.
 *
 * @param {import("./dependencies.mjs").Extent} extent
 * @returns {Promise<string>}
 */
export async function prepare(extent) {
  if (!isReady(extent)) await asOnlyInstaller((signal) => bringWhatIsMissing(extent, signal));
  return nodePath();
}

/**
 * Brings a Node of another line, for the tests that run under every supported one.
 *
 * @param {string} version
 * @returns {Promise<string>}
 */
export async function prepareNode(version) {
  return existsSync(broughtNode(version)) ? broughtNode(version) : asOnlyInstaller((signal) => bringNode(version, { signal }));
}

function isReady(extent) {
  return existsSync(nodePath()) && isInstalled(extent);
}

/** The Node that runs us, if it is new enough; else the pinned one. */
function nodePath() {
  return Number(process.versions.node.split(".")[0]) >= PINNED_MAJOR ? process.execPath : broughtNode(PINNED_NODE);
}

async function asOnlyInstaller(work) {
  const stop = new AbortController();
  const onSignal = (name) => stop.abort(name);
  for (const name of SIGNALS) process.once(name, onSignal);
  try {
    await mkdir(CACHE, { recursive: true });
    const onWait = () => console.error("postrider: another start is installing; waiting for it …");
    return await withLock(LOCK, { signal: stop.signal, onWait }, () => work(stop.signal));
  } catch (error) {
    if (stop.signal.aborted) process.kill(process.pid, stop.signal.reason);
    throw error;
  } finally {
    for (const name of SIGNALS) process.off(name, onSignal);
  }
}

async function bringWhatIsMissing(extent, signal) {
  if (isReady(extent)) return;
  const node = nodePath();
  const isNodeMissing = !existsSync(node);
  const what = [isNodeMissing && `Node ${PINNED_NODE}`, !isInstalled(extent) && "dependencies"].filter(Boolean).join(" and ");
  console.error(`postrider: installing ${what}, once …`);
  const results = await Promise.allSettled([
    isNodeMissing ? bringNode(PINNED_NODE, { signal }) : node,
    isInstalled(extent) ? undefined : install(extent, { signal }),
  ]);
  for (const result of results) if (result.status === "rejected") throw result.reason;
}
