import { tmpdir } from "node:os";
import { join } from "node:path";
import { inject } from "vitest";
import { program } from "../brokers/programs.ts";
import { runToEnd } from "../brokers/run-to-end.ts";
import { hasSpringJars, springJars } from "./spring/jars.ts";

const JAVA_OPTIONS = ["-Xmx128m", "-XX:-UsePerfData", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"];

/** Why there is no Spring here; undefined where there is. Throws under `CI=true`, where everything must run. */
export function springMissing(): string | undefined {
  if (program("java") === undefined || program("javac") === undefined) return left("a JDK of 17 or newer is not installed");
  return left(hasSpringJars() || program("mvn") !== undefined ? undefined : "Maven, which fetches Spring, is not installed");
}

/** Why there is no kcat here; undefined where there is. Throws under `CI=true`. */
export function kcatMissing(): string | undefined {
  return left(program("kcat") === undefined ? "kcat is not installed (Debian: apt-get install kcat)" : undefined);
}

/** Runs one of the programs in `spring/` to its end; what it printed. */
export async function runSpring(name: string, args: readonly string[]): Promise<string> {
  const jars = await springJars();
  const file = join(import.meta.dirname, "spring", `${name}.java`);
  return runToEnd({ file: program("java")!, args: [...JAVA_OPTIONS, "-cp", `${jars}/*`, file, ...args], cwd: tmpdir() });
}

/** Runs kcat to its end, with something to read where it is given; what it printed. */
export function runKcat(args: readonly string[], input?: string): Promise<string> {
  const kcat = program("kcat")!;
  if (input === undefined) return runToEnd({ file: kcat, args: [...args], cwd: tmpdir() });
  const pipe = `printf '%s' "$INPUT" | "$@"`;
  return runToEnd({ file: "/bin/sh", args: ["-c", pipe, "kcat", kcat, ...args], cwd: tmpdir(), env: { INPUT: input } });
}

/** A reason as part of a test's name. */
export function inName(reason: string | undefined): string {
  return reason === undefined ? "" : ` (${reason})`;
}

function left(reason: string | undefined): string | undefined {
  const { missing } = inject("brokers").kafka;
  if (reason !== undefined && missing === undefined && process.env["CI"] === "true") throw new Error(`CI needs it: ${reason}`);
  return missing ?? reason;
}
