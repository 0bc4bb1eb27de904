// Kafka's variable-length numbers: zigzag, seven bits a byte, the lowest first.
const LIMITS = [1 << 7, 1 << 14, 1 << 21, 1 << 28] as const;

/** How many bytes a number takes. */
export function varintBytes(value: number): number {
  const zigzag = ((value << 1) ^ (value >> 31)) >>> 0;
  if (zigzag < LIMITS[0]) return 1;
  if (zigzag < LIMITS[1]) return 2;
  if (zigzag < LIMITS[2]) return 3;
  return zigzag < LIMITS[3] ? 4 : 5;
}

/** How many bytes the number at a place takes. */
export function varintSize(bytes: Uint8Array, at = 0): number {
  let size = 1;
  while (bytes[at + size - 1]! > 0x7f) size++;
  return size;
}

/** Writes a number of 32 bits; returns where the next goes. */
export function writeVarint(into: Uint8Array, value: number, at: number): number {
  let rest = ((value << 1) ^ (value >> 31)) >>> 0;
  while (rest > 0x7f) {
    into[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  into[at++] = rest;
  return at;
}

/** Reads numbers one after another. */
export class VarintReader {
  readonly bytes: Buffer;
  at: number;

  constructor(bytes: Buffer, at: number) {
    this.bytes = bytes;
    this.at = at;
  }

  /** A number of 32 bits. */
  next(): number {
    const { bytes } = this;
    let byte = bytes[this.at++]!;
    let value = byte & 0x7f;
    for (let shift = 7; byte > 0x7f; shift += 7) {
      byte = bytes[this.at++]!;
      value |= (byte & 0x7f) << shift;
    }
    return (value >>> 1) ^ -(value & 1);
  }

  /** A number of 64 bits, exact as far as a double is. */
  nextLong(): number {
    let value = 0;
    let scale = 1;
    for (let byte = 0x80; byte > 0x7f; scale *= 128) {
      byte = this.bytes[this.at++]!;
      value += (byte & 0x7f) * scale;
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }
}
