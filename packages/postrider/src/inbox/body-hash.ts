import { hash } from "node:crypto";
import type { WireBody } from "../envelope/envelope.ts";

const HASH_CHARACTERS = 22; // of base64: 132 bits

/**
 * Tells a repeated message from a reused id: equal bodies have equal hashes, whether they came as text or as bytes.
 *
 * Compares bytes, not meaning: JSON with its keys in another order is another body.
 *
 * SHA-256 was the fastest of those Node has, up to 400 bytes: 0.6 µs for 100 bytes and 0.9 µs for 400, against 0.7 and 1.1 µs for SHA-1
 * (which leads by a third at 2000 bytes: 2.0 against 2.7 µs). Node 26.10, AMD EPYC with SHA instructions, 2026-11-21.
 */
export function bodyHash(body: WireBody): string {
  return hash("sha256", body, "base64").slice(0, HASH_CHARACTERS);
}
