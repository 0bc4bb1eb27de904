import { hash } from "node:crypto";
import type { WireBody } from "../envelope/envelope.ts";

const HASH_CHARACTERS = 22; // of base64: 132 bits

/**
 * Tells a repeated message from a reused id: equal bodies have equal hashes, whether they came as text or as bytes.
 *
 * Compares bytes, not meaning: JSON with its keys in another order is another body.
 *
 * SHA-256 costs what SHA-1 costs: about 1.0 µs for 100 bytes, 1.3 µs for 400, 2.0 to 2.6 µs for 2000 (Node 26.10, AMD EPYC with SHA
 * instructions and other work beside it, 2026-11-21). MD5, BLAKE2 and SHA-512/256 were slower from 400 bytes on.
 */
export function bodyHash(body: WireBody): string {
  return hash("sha256", body, "base64").slice(0, HASH_CHARACTERS);
}
