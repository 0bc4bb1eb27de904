import { Session, type HeapProfiler } from "node:inspector/promises";
import { libraryFile } from "./library-file.ts";

/** What a stretch of work put on the heap, whether it is still there or not. Unlike time this hardly varies between runs. */
export interface Allocations {
  readonly bytesPerMessage: number;
  /** The functions that allocate most, in bytes for each message. */
  readonly hungriest: readonly { readonly where: string; readonly bytes: number }[];
}

const SAMPLE_EVERY_BYTES = 16_384;
const HUNGRIEST = 40;

/** Samples allocations while `work` runs. What runtime or zod allocate for a function of the library is that function's. */
export async function sampleAllocations(work: () => Promise<{ readonly messages: number }>): Promise<Allocations> {
  const session = new Session();
  session.connect();
  await session.post("HeapProfiler.enable");
  await session.post("HeapProfiler.startSampling", {
    samplingInterval: SAMPLE_EVERY_BYTES,
    includeObjectsCollectedByMajorGC: true,
    includeObjectsCollectedByMinorGC: true,
  });
  const { messages } = await work();
  const { profile } = await session.post("HeapProfiler.stopSampling");
  session.disconnect();
  const byFunction = new Map<string, number>();
  collect(profile.head, "outside the library", byFunction);
  const sorted = [...byFunction]
    .map(([where, bytes]) => ({ where, bytes: Math.round(bytes / messages) }))
    .sort((a, b) => b.bytes - a.bytes);
  return { bytesPerMessage: sorted.reduce((sum, { bytes }) => sum + bytes, 0), hungriest: sorted.slice(0, HUNGRIEST) };
}

function collect(node: HeapProfiler.SamplingHeapProfileNode, owner: string, into: Map<string, number>): void {
  const { url, functionName, lineNumber } = node.callFrame;
  const file = libraryFile(url);
  const name = file === undefined ? owner : `${file}:${functionName || "(anonymous)"}:${String(lineNumber + 1)}`;
  into.set(name, (into.get(name) ?? 0) + node.selfSize);
  for (const child of node.children) collect(child, name, into);
}
