import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The checkout. */
export const ROOT = join(import.meta.dirname, "..", "..");

/** A tool of the workspace, as a file that Node can run. */
export function tool(name: string): string {
  return join(ROOT, "node_modules", ".bin", name);
}

/** A folder that is gone at the end of the block: `using folder = temporaryFolder("pack")`. */
export function temporaryFolder(purpose: string): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), `postrider-${purpose}-`));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}
