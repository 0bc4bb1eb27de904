import { mkdir, readFile, rename, rm, rmdir, stat, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const POLL_MS = 200;
const HEARTBEAT_MS = 2_000;
const STALE_AFTER_MS = 30_000; // for an owner whose process cannot be asked: another machine, or a pid that was given away again
const OWNER = "owner.json";
const TAKEN = process.platform === "win32" ? ["ENOTEMPTY", "EEXIST", "EPERM"] : ["ENOTEMPTY", "EEXIST"];

/**
 * Runs `work` while no other process on this checkout runs under the same lock; others wait.
 *
 * A lock is a folder that is renamed into place with its owner's name inside, so there is never one without an owner.
 * An owner that died is noticed by its pid, or by its heartbeat, and its lock is broken.
 *
 * @template Result
 * @param {string} lock       path of the folder that is the lock
 * @param {{ signal: AbortSignal, onWait: () => void }} options  `onWait` is called once, before the first wait
 * @param {() => Promise<Result>} work
 * @returns {Promise<Result>}
 */
export async function withLock(lock, { signal, onWait }, work) {
  await acquire(lock, { signal, onWait });
  const heartbeat = setInterval(() => void utimes(join(lock, OWNER), new Date(), new Date()).catch(() => {}), HEARTBEAT_MS);
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    await discard(lock);
  }
}

async function acquire(lock, { signal, onWait }) {
  const mine = `${lock}.${process.pid}.new`;
  await mkdir(mine, { recursive: true });
  await writeFile(join(mine, OWNER), JSON.stringify({ pid: process.pid, host: hostname() }));
  try {
    for (let hasWaited = false; !(await moveInto(mine, lock));) {
      if (await isAbandoned(lock)) {
        await breakLock(lock);
        continue;
      }
      if (!hasWaited) onWait();
      hasWaited = true;
      await sleep(POLL_MS, undefined, { signal });
    }
  } catch (error) {
    await rm(mine, { recursive: true, force: true });
    throw error;
  }
}

/** A rename onto a folder that is not empty is refused by the file system: of several, one wins. */
async function moveInto(mine, lock) {
  try {
    await rename(mine, lock);
    return true;
  } catch (error) {
    if (TAKEN.includes(error.code)) return false;
    throw error;
  }
}

async function isAbandoned(lock) {
  try {
    const owner = JSON.parse(await readFile(join(lock, OWNER), "utf8"));
    if (owner.host === hostname() && !isAlive(owner.pid)) return true;
    return Date.now() - (await stat(join(lock, OWNER))).mtimeMs > STALE_AFTER_MS;
  } catch (error) {
    if (error.code === "ENOENT") return false; // released meanwhile
    throw error;
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

/** Only one breaks at a time and looks again first: else the second would break the lock that the first has just taken. */
async function breakLock(lock) {
  const breaking = `${lock}.breaking`;
  try {
    await mkdir(breaking);
  } catch {
    const age = await stat(breaking).then(
      (found) => Date.now() - found.mtimeMs,
      () => 0,
    );
    if (age > STALE_AFTER_MS) await rmdir(breaking).catch(() => {});
    await sleep(POLL_MS);
    return;
  }
  try {
    if (await isAbandoned(lock)) await discard(lock);
  } finally {
    await rmdir(breaking).catch(() => {});
  }
}

/** Moved away first, so that nobody sees the lock half deleted. */
async function discard(lock) {
  const gone = join(dirname(lock), `.gone.${process.pid}.${Date.now()}`);
  await rename(lock, gone).catch(() => {});
  await rm(gone, { recursive: true, force: true });
}
