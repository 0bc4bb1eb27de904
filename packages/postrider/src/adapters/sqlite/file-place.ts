import { access, constants, lstat, mkdir, rm, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { fail, reasonOf } from "../../base/errors.ts";
import type { PostriderError } from "../../base/errors.ts";
import { saysNoDatabase, saysNotOpened, wrapVendorError } from "./vendor-error.ts";

const SMALLEST_DATABASE_BYTES = 512; // SQLite's smallest page

// What an operating system says of a path that may be well a moment later.
const PASSING: ReadonlySet<unknown> = new Set(["EAGAIN", "EBUSY", "EINTR", "EIO", "EMFILE", "ENFILE", "ENOMEM"]);
const NO_ROOM: ReadonlySet<unknown> = new Set(["EDQUOT", "ENOSPC"]);

const NO_DATABASE = "it holds something else than a SQLite database (if it was one, its beginning is overwritten: restore a backup)";

/**
 * Makes a file's folder, and looks whether a database can be there: SQLite takes a file of a few bytes for a new database, and writes over it.
 * @throws PR_STORE_PATH, PR_STORE_FULL, PR_STORE_FAILED
 */
export async function preparePlace(file: string): Promise<void> {
  await makeFolder(dirname(file)).catch((error: unknown) => {
    throw folderError(error, file);
  });
  // A database that may only be read opens, and then takes nothing.
  const flaw = (await flawOf(file)) ?? (await unwritable(file));
  if (flaw !== undefined) throw fail("PR_STORE_PATH", { file, detail: flaw });
}

/** Why a file did not open: a place that is wrong is told from what may pass, for SQLite has one code for both. */
export async function openingError(error: unknown, file: string): Promise<PostriderError> {
  if (saysNoDatabase(error)) return fail("PR_STORE_PATH", { file, detail: NO_DATABASE }, { cause: error });
  const flaw = saysNotOpened(error) ? ((await flawOf(file)) ?? (await refusalOf(file))) : undefined;
  if (flaw !== undefined) return fail("PR_STORE_PATH", { file, detail: flaw }, { cause: error });
  return wrapVendorError(error, file, "the opening");
}

/** Not by `recursive`: where a file system says of any folder that its parent is missing (/proc), that goes round for ever. */
async function makeFolder(folder: string): Promise<void> {
  const isMade = await makeOne(folder);
  if (isMade) return;
  await makeFolder(dirname(folder));
  if (!(await makeOne(folder))) throw new Error(`no folder can be made in ${dirname(folder)}`);
}

/** False where its parent is missing. */
async function makeOne(folder: string): Promise<boolean> {
  try {
    await mkdir(folder);
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT" && dirname(folder) !== folder) return false;
    // A root, or a folder of a file system that takes nothing new, may be there and say something else.
    const isThere = await stat(folder).then(
      (found) => found.isDirectory(),
      () => false,
    );
    if (!isThere) throw error;
  }
  return true;
}

function folderError(error: unknown, file: string): PostriderError {
  const code = codeOf(error);
  if (NO_ROOM.has(code)) return fail("PR_STORE_FULL", { file }, { cause: error });
  if (PASSING.has(code))
    return fail("PR_STORE_FAILED", { store: file, during: "the making of its folder", detail: reasonOf(error) }, { cause: error });
  return fail("PR_STORE_PATH", { file, detail: `its folder cannot be made (${reasonOf(error)})` }, { cause: error });
}

/** What is wrong with the file itself. It is not opened: closing any descriptor of it would drop the locks of this process. */
async function flawOf(file: string): Promise<string | undefined> {
  try {
    const found = await stat(file);
    if (found.isDirectory()) return "it is a folder";
    if (!found.isFile()) return "it is no ordinary file";
    return found.size > 0 && found.size < SMALLEST_DATABASE_BYTES ? NO_DATABASE : undefined;
  } catch (error) {
    const code = codeOf(error);
    return code === "ENOENT" || PASSING.has(code) ? undefined : reasonOf(error);
  }
}

/** What this process may not do there. SQLite needs the folder too, for the -wal and -shm files. */
async function refusalOf(file: string): Promise<string | undefined> {
  if (await isLinkToNowhere(file)) return "it is a link to something that is not there";
  const refused = (await unwritable(`${file}-wal`)) ?? (await unwritable(`${file}-shm`));
  if (refused !== undefined) return refused;
  const probe = `${file}-probe`;
  try {
    await writeFile(probe, "", { flag: "wx" });
    await rm(probe, { force: true });
    return undefined;
  } catch (error) {
    const code = codeOf(error);
    if (code === "EEXIST" || PASSING.has(code) || NO_ROOM.has(code)) return undefined;
    return `this process may not make files in ${dirname(file)} (${String(code)}), and SQLite keeps two beside its own`;
  }
}

async function isLinkToNowhere(file: string): Promise<boolean> {
  const isThere = (look: (path: string) => Promise<unknown>): Promise<boolean> =>
    look(file).then(
      () => true,
      () => false,
    );
  return (await isThere(lstat)) && !(await isThere(stat));
}

/** Why a path that is there may not be used. */
async function unwritable(path: string): Promise<string | undefined> {
  try {
    await access(path, constants.R_OK | constants.W_OK);
    return undefined;
  } catch (error) {
    const code = codeOf(error);
    return code === "ENOENT" || PASSING.has(code) ? undefined : `this process may not read and write ${path} (${String(code)})`;
  }
}

function codeOf(error: unknown): unknown {
  return (error as { readonly code?: unknown }).code;
}
