import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { program } from "../programs.ts";
import { runToEnd } from "../run-to-end.ts";

/** The connector that the printed configuration is tried with. */
const DEBEZIUM_VERSION = "3.6.1.Final";

/** A folder for Kafka Connect's `plugin.path` with Debezium's connector for PostgreSQL; fetched once per machine and user (25 MB). */
export async function debeziumPlugin(): Promise<string> {
  const folder = pluginFolder();
  if (!existsSync(folder)) await fetchInto(folder);
  return folder;
}

/** Why it cannot be had; undefined if it can. */
export function missingDebezium(): string | undefined {
  if (existsSync(pluginFolder()) || (program("mvn") !== undefined && program("tar") !== undefined)) return undefined;
  return "Maven, which fetches Debezium, is not installed (Debian: apt-get install maven)";
}

/** Beside Kafka's jars. */
function cacheFolder(): string {
  return join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "postrider");
}

function pluginFolder(): string {
  return join(cacheFolder(), `debezium-${DEBEZIUM_VERSION}`);
}

/** The folder comes to be whole or not at all. */
async function fetchInto(folder: string): Promise<void> {
  await mkdir(cacheFolder(), { recursive: true });
  const work = await mkdtemp(`${folder}-`);
  try {
    const artifact = `io.debezium:debezium-connector-postgres:${DEBEZIUM_VERSION}:tar.gz:plugin`;
    await runToEnd({
      file: program("mvn")!,
      args: ["-q", "-B", "dependency:copy", `-Dartifact=${artifact}`, `-DoutputDirectory=${work}`],
      cwd: work,
    });
    const plugins = join(work, "plugins");
    await mkdir(plugins);
    await runToEnd({
      file: program("tar")!,
      args: ["xzf", join(work, `debezium-connector-postgres-${DEBEZIUM_VERSION}-plugin.tar.gz`), "-C", plugins],
      cwd: work,
    });
    await rename(plugins, folder).catch((error: unknown) => {
      if (!existsSync(folder)) throw error; // else another was first
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
