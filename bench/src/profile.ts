import { Session, type Profiler } from "node:inspector/promises";
import { libraryFile } from "./library-file.ts";

/** CPU of the main thread for a stretch of work, by the part of the library that used it. */
export interface StageCosts {
  /** Stage → nanoseconds of CPU for each message. */
  readonly nanosByStage: Readonly<Record<string, number>>;
  /** The functions with the most time of their own, in nanoseconds for each message. */
  readonly hottest: readonly { readonly where: string; readonly nanos: number }[];
}

const SAMPLE_EVERY_MICROS = 200;
const HOTTEST = 40;

/** In this order: the first pattern that fits a file of the library names its stage. */
const STAGES: readonly (readonly [RegExp, string])[] = [
  [/^contracts\//, "contracts and validation"],
  [/^envelope\/json|^inbox\/body-hash/, "JSON and body hash"],
  [/^envelope\//, "envelope"],
  [/^pipeline\/decode/, "decode"],
  [/^delivery\/(handler-context|bound-logger)|^pipeline\/context/, "handler context"],
  [/^delivery\/(unit-of-work|lazy-sql|settlement)|^inbox\//, "unit of work and settling"],
  [/^delivery\//, "dispatch, key gate and flow control"],
  [/^(outbox|scheduling|deadletters|effects|telemetry)\//, "outbox, schedule, dead letters, telemetry"],
  [/^bus\//, "bus: send and publish"],
  [/^adapters\//, "adapter, with its SQL"],
  [/^base\//, "base: clock, ids, random"],
];

/**
 * Samples the process while `work` runs, and shares the time out to the library's stages.
 *
 * A sample belongs to the nearest file of the library on its stack, so that what runtime, zod or SQLite do for a stage is that stage's cost;
 * what has no such file on its stack is the bench's own, or the runtime's. Samples count wall time, which others on the machine stretch:
 * so they only share out the CPU time that the thread has really used.
 */
export async function profileStages(work: () => Promise<{ readonly messages: number }>): Promise<StageCosts> {
  const session = new Session();
  session.connect();
  await session.post("Profiler.enable");
  await session.post("Profiler.setSamplingInterval", { interval: SAMPLE_EVERY_MICROS });
  await session.post("Profiler.start");
  const before = process.threadCpuUsage();
  const { messages } = await work();
  const { user, system } = process.threadCpuUsage(before);
  const { profile } = await session.post("Profiler.stop");
  session.disconnect();
  return sharedOut(profile, ((user + system) * 1000) / messages);
}

function sharedOut(profile: Profiler.Profile, nanosPerMessage: number): StageCosts {
  const parents = new Map<number, Profiler.ProfileNode>();
  for (const node of profile.nodes) for (const child of node.children ?? []) parents.set(child, node);
  const micros = selfMicros(profile);
  const busy = profile.nodes.filter((node) => micros.has(node.id) && node.callFrame.functionName !== "(idle)");
  const busyMicros = busy.reduce((sum, { id }) => sum + micros.get(id)!, 0);
  const [byStage, byFunction] = [new Map<string, number>(), new Map<string, number>()];
  for (const node of busy) {
    const nanos = (micros.get(node.id)! / busyMicros) * nanosPerMessage;
    add(byStage, stageOf(node, parents), nanos);
    add(byFunction, functionOf(node, parents), nanos);
  }
  const sorted = (map: Map<string, number>): [string, number][] =>
    [...map].sort(([, a], [, b]) => b - a).map(([name, nanos]) => [name, Math.round(nanos)]);
  return {
    nanosByStage: Object.fromEntries(sorted(byStage)),
    hottest: sorted(byFunction)
      .slice(0, HOTTEST)
      .map(([where, nanos]) => ({ where, nanos })),
  };
}

function selfMicros({ samples = [], timeDeltas = [] }: Profiler.Profile): Map<number, number> {
  const micros = new Map<number, number>();
  samples.forEach((id, index) => micros.set(id, (micros.get(id) ?? 0) + Math.max(0, timeDeltas[index + 1] ?? 0)));
  return micros;
}

function stageOf(node: Profiler.ProfileNode, parents: ReadonlyMap<number, Profiler.ProfileNode>): string {
  const owner = ownerOf(node, parents);
  if (owner !== undefined) return STAGES.find(([pattern]) => pattern.test(owner.file))?.[1] ?? "other";
  const { functionName } = node.callFrame;
  if (functionName === "(garbage collector)") return "garbage collection";
  return functionName === "(program)" ? "runtime, outside JavaScript" : "the bench itself, and timers";
}

/** A function of the library by its own name; another one by its name and that of the library's function that called it. */
function functionOf(node: Profiler.ProfileNode, parents: ReadonlyMap<number, Profiler.ProfileNode>): string {
  const { functionName, lineNumber } = node.callFrame;
  const owner = ownerOf(node, parents);
  if (owner === undefined) return functionName || "(anonymous)";
  const library = `${owner.file}:${owner.node.callFrame.functionName || "(anonymous)"}`;
  return owner.node === node ? `${library}:${String(lineNumber + 1)}` : `${functionName || "(anonymous)"} for ${library}`;
}

function ownerOf(
  node: Profiler.ProfileNode,
  parents: ReadonlyMap<number, Profiler.ProfileNode>,
): { readonly node: Profiler.ProfileNode; readonly file: string } | undefined {
  for (let at: Profiler.ProfileNode | undefined = node; at !== undefined; at = parents.get(at.id)) {
    const file = libraryFile(at.callFrame.url);
    if (file !== undefined) return { node: at, file };
  }
  return undefined;
}

function add(map: Map<string, number>, name: string, value: number): void {
  map.set(name, (map.get(name) ?? 0) + value);
}
