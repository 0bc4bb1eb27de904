import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { program } from "../programs.ts";
import { runToEnd } from "../run-to-end.ts";

/** What is fetched from Maven Central: group, artifact, version. */
export type Artifact = readonly [group: string, artifact: string, version: string];

/** A folder with these artifacts and all that they need, for `java -cp '<folder>/*'`; fetched once per machine and user. */
export async function mavenJars(name: string, artifacts: readonly Artifact[]): Promise<string> {
  const folder = join(cacheFolder(), name);
  if (!existsSync(folder)) await fetchInto(folder, artifacts);
  return folder;
}

/** Whether {@link mavenJars} need not fetch. */
export function hasMavenJars(name: string): boolean {
  return existsSync(join(cacheFolder(), name));
}

function cacheFolder(): string {
  return join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "postrider");
}

/** By Maven, with the user's own settings and mirrors. The folder comes to be whole or not at all; two that fetch at once do not mind each other. */
async function fetchInto(folder: string, artifacts: readonly Artifact[]): Promise<void> {
  await mkdir(cacheFolder(), { recursive: true });
  const work = await mkdtemp(`${folder}-`);
  try {
    await writeFile(join(work, "pom.xml"), pom(artifacts));
    const goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", `-DoutputDirectory=${join(work, "jars")}`];
    await runToEnd({ file: program("mvn")!, args: ["-q", "-B", ...goal], cwd: work });
    await rename(join(work, "jars"), folder).catch((error: unknown) => {
      if (!existsSync(folder)) throw error; // else another was first
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

function pom(artifacts: readonly Artifact[]): string {
  const dependencies = artifacts.map(
    ([group, artifact, version]) =>
      `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`,
  );
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>postrider.tests</groupId><artifactId>jars</artifactId><version>1</version>
  <dependencies>${dependencies.join("")}</dependencies>
</project>
`;
}
