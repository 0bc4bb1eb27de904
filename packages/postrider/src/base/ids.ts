import { hash, randomFillSync } from "node:crypto";
import type { Clock } from "./clock.ts";

/** Makes message ids. */
export interface Ids {
  /** A new UUIDv7: ordered by time, unique in the world. */
  next(): string;
}

const POOL_BYTES = 8192;
const RANDOM_BYTES_PER_ID = 10;

/** Ids from the clock and the machine's secure chance; ids of one millisecond are ordered by a counter. */
export function uuidv7Ids(clock: Clock): Ids {
  const pool = Buffer.allocUnsafe(POOL_BYTES);
  // Written out once per pool and once per millisecond: an id is then put together from texts that are there.
  let poolText = "";
  let timeText = "";
  let used = POOL_BYTES;
  let lastMs = 0;
  let counter = 0;
  return {
    next() {
      if (used + RANDOM_BYTES_PER_ID > POOL_BYTES) {
        poolText = randomFillSync(pool).toString("hex");
        used = 0;
      }
      const nowMs = clock.now();
      if (nowMs > lastMs) {
        lastMs = nowMs;
        timeText = timeOf(lastMs);
        counter = pool[used]! & 0x7f; // starts low, so that it seldom overflows within a millisecond
      } else if (++counter > 0xfff) {
        timeText = timeOf(++lastMs); // borrowed from the future: keeps the order
        counter = 0;
      }
      const at = used;
      used += RANDOM_BYTES_PER_ID;
      const variant = 0x8000 | ((pool[at + 1]! & 0x3f) << 8) | pool[at + 2]!;
      return `${timeText}-${(0x7000 | counter).toString(16)}-${variant.toString(16)}-${poolText.slice(2 * at + 6, 2 * at + 18)}`;
    },
  };
}

/** Ids that repeat themselves: counted up, on a clock. For tests and the simulator. */
export function countedIds(clock: Clock, stem = 0): Ids {
  let count = 0;
  return { next: () => uuidText(clock.now(), 0x7000, 0x8000 | (stem & 0x3fff), (++count).toString(16).padStart(12, "0")) };
}

/**
 * The id of a message that a handler sends: the same whenever the same run is repeated.
 *
 * A hash of the parts, behind the time prefix of the cause, so that indexes over ids stay local.
 */
export function derivedId(causeId: string, ...parts: readonly (string | number)[]): string {
  const digest = hash("sha256", [causeId, ...parts].join("\u0000"), "hex");
  const time = /^[0-9a-f]{8}-[0-9a-f]{4}-7/.test(causeId) ? causeId.slice(0, 13) : `${digest.slice(40, 48)}-${digest.slice(48, 52)}`;
  const variant = (0x8 | (Number.parseInt(digest[3]!, 16) & 0x3)).toString(16);
  return `${time}-7${digest.slice(0, 3)}-${variant}${digest.slice(4, 7)}-${digest.slice(8, 20)}`;
}

/** The lane of a key: the same on every machine and in every release. */
export function laneOf(key: string, lanes: number): number {
  return hashOf(key) % lanes;
}

/** The same on every machine and in every release, and never to change, because lanes go by it: FNV-1a over UTF-16 units, 32 bits. */
export function hashOf(text: string): number {
  let state = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) state = Math.imul(state ^ text.charCodeAt(at), 0x01000193);
  state ^= state >>> 16; // FNV's low bits are weak on short texts
  return state >>> 0;
}

function uuidText(ms: number, versionAndCounter: number, variant: number, tail: string): string {
  return `${timeOf(ms)}-${versionAndCounter.toString(16)}-${variant.toString(16)}-${tail}`;
}

function timeOf(ms: number): string {
  const time = ms.toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}`;
}
