import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import { sqliteWorld } from "../../../../../tests/support/sqlite-file.ts";

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "place-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const NOTE = "not a database";

test.each<[what: string, place: (folder: string) => string, why: string]>([
  ["a folder", (root) => root, "it is a folder"],
  ["a path below a file", (root) => join(note(root, NOTE), "app.db"), "its folder cannot be made"],
  ["a folder that no file system makes", () => "/proc/nothing/app.db", "its folder cannot be made"],
  ["a device", () => "/dev/null", "it is no ordinary file"],
  ["a link to nowhere", linkToNowhere, "it is a link to something that is not there"],
])("%s is refused at once, by its path", async (_, place, why) => {
  const file = place(folder);
  expect(await refusalOf(file)).toMatchObject(refused(file, why));
});

test.each([1, 1000])("a file of something else, %i times as long, is refused at once, by its path, and left as it is", async (times) => {
  const text = NOTE.repeat(times);
  const file = note(folder, text);
  expect(await refusalOf(file)).toMatchObject(refused(file, "something else than a SQLite database"));
  expect(readFileSync(file, "utf8")).toBe(text);
});

test.each<[what: string, guard: (folder: string, file: string) => void]>([
  ["a folder that may not be written", (root) => chmodSync(root, 0o555)],
  ["a folder that may not be looked into", (root) => chmodSync(root, 0o600)],
  ["a database that may only be read", (root, file) => (existing(file), chmodSync(root, 0o777), chmodSync(file, 0o444))],
])("%s is refused at once, by its path", (_, guard) => {
  const file = join(folder, "app.db");
  guard(folder, file);
  expect(openedBySomebody(file)).toMatch(`PR_STORE_PATH: The database ${file} cannot be opened: `);
});

async function refusalOf(file: string): Promise<unknown> {
  await using world = await sqliteWorld({ file });
  return await world.transport.open().catch((error: unknown) => error);
}

function refused(file: string, why: string): object {
  return { code: "PR_STORE_PATH", retryable: false, details: { file }, message: expect.stringContaining(why) as string };
}

/** What another process, which is not root, is told. */
function openedBySomebody(file: string): string {
  const url = JSON.stringify(new URL("../../presets/sqlite.ts", import.meta.url).href);
  const script = `import { sqlite } from ${url};
    const { commands } = sqlite(${JSON.stringify(file)});
    await commands.open().then(() => console.log("it opened"), (error) => console.log(error.message));
    await commands.close();`;
  const somebody = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
  const { stdout, stderr } = spawnSync(process.execPath, ["--conditions=@postrider/source", "--input-type=module", "-e", script], somebody);
  return `${String(stdout)}${String(stderr)}`;
}

function note(root: string, text: string): string {
  const file = join(root, "note.txt");
  writeFileSync(file, text);
  return file;
}

function linkToNowhere(root: string): string {
  const file = join(root, "app.db");
  symlinkSync(join(root, "gone", "app.db"), file);
  return file;
}

function existing(file: string): void {
  const made = new DatabaseSync(file);
  made.exec("create table business (note text)");
  made.close();
}
