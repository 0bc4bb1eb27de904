import { accessSync, constants, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";

// Where packages put servers that are not on everyone's PATH: Debian, Fedora, Homebrew.
const FOLDERS = ["/usr/local/bin", "/usr/bin", "/usr/local/sbin", "/usr/sbin", "/usr/libexec", "/opt/homebrew/bin", "/opt/homebrew/sbin"];

/** Path of a program: from `first` folders, else from PATH, else from where packages usually put servers. */
export function program(name: string, first: readonly string[] = []): string | undefined {
  const folders = [...first, ...(process.env["PATH"] ?? "").split(delimiter), ...FOLDERS];
  return folders
    .filter((folder) => folder !== "")
    .map((folder) => join(folder, name))
    .find(isProgram);
}

/** Folders `<parent>/<version>/<rest>`, the newest version first. */
export function versionFolders(parent: string, rest: string): readonly string[] {
  try {
    const versions = readdirSync(parent).sort((left, right) => right.localeCompare(left, "en", { numeric: true }));
    return versions.map((version) => join(parent, version, rest));
  } catch {
    return []; // no such folder: that package is not here
  }
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
