/** A time in milliseconds since the epoch as ISO 8601 in UTC. Messages of one millisecond share the text, and so do the ends of what expires after the same while. */
export function isoTime(ms: number): string {
  if (ms === latestMs) return latestText;
  if (ms === otherMs) return otherText;
  otherMs = latestMs;
  otherText = latestText;
  latestMs = ms;
  latestText = new Date(ms).toISOString();
  return latestText;
}

let latestMs = Number.NaN;
let latestText = "";
let otherMs = Number.NaN;
let otherText = "";
