/** A time in milliseconds since the epoch as ISO 8601 in UTC. Messages of one millisecond share the text. */
export function isoTime(ms: number): string {
  if (ms !== lastMs) {
    lastText = new Date(ms).toISOString();
    lastMs = ms;
  }
  return lastText;
}

let lastMs = Number.NaN;
let lastText = "";
