import { laneOf } from "../../base/ids.ts";

// The first of the two numbers of an advisory lock says what it is for; the second is a hash. They live in one database each, beside anybody else's: two
// that fall on the same number wait for each other, and nothing worse.

/** Held until their commit by who appends to the outbox, by key: so a key's rows become visible in the order of their numbers. */
export const OUTBOX_KEY_CLASS = 0x70720001;
/** Held until their commit by who parks behind a key, or releases what is parked: neither misses the other. */
export const HELD_KEY_CLASS = 0x70720003;

const HASHES = 0x7fffffff;

// Each lock takes a place in the server's shared memory, which has about 6400 (max_locks_per_transaction * max_connections by default): no transaction may take very many.
const KEY_LOCKS = 1024;

/** The number of what there is one of. */
export function lockOf(...parts: readonly string[]): number {
  return laneOf(parts.join("\u0000"), HASHES);
}

/** The number of a key: one of a thousand of its service. */
export function keyLockOf(scope: number, destination: string, key: string): number {
  return (scope + laneOf(`${destination}\u0000${key}`, KEY_LOCKS)) % HASHES;
}
