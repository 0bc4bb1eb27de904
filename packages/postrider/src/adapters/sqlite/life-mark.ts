import { readFileSync, readlinkSync } from "node:fs";

// A mark is `boot/namespace/pid/start`: a pid alone is used again, and means another process in another container.
const SEPARATOR = "/";

/** Tells this process from every other; empty where the system does not say enough (only Linux does). Goes behind a space at the end of an owner's name. */
export function ownLifeMark(): string {
  try {
    return [...surroundings(), process.pid, startOf(process.pid)!].join(SEPARATOR);
  } catch {
    return "";
  }
}

/** Whether the process that an owner's name ends in has certainly ended. In doubt it has not: then its lease must run out. */
export function hasEnded(owner: string): boolean {
  const [boot, namespace, pid, start] = owner.slice(owner.indexOf(" ") + 1).split(SEPARATOR);
  if (start === undefined) return false;
  try {
    const [ownBoot, ownNamespace] = surroundings();
    return boot === ownBoot && namespace === ownNamespace && startOf(Number(pid)) !== start;
  } catch {
    return false;
  }
}

function surroundings(): readonly [boot: string, namespace: string] {
  return [readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim(), readlinkSync("/proc/self/ns/pid")];
}

/** When a process was started, in ticks since the boot; undefined when there is none, or only its exit code is left. */
function startOf(pid: number): string | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch (error) {
    if ((error as { code?: unknown }).code === "ENOENT") return undefined;
    throw error;
  }
  // The name in brackets may hold anything; after it come state (field 3) and, as field 22, the start.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields[0] === "Z" || fields[0] === "X" ? undefined : fields[19];
}
