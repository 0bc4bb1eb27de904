import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

// Reads until its input ends, which it does when the owner is gone, however it went. Then it thaws what was frozen and ends what the ledger names: first
// politely (PostgreSQL gives back its shared memory only so), after 5 s by force, with whatever else still works inside the folders.
const SCRIPT = `
ledger=$1
cat >/dev/null
inside() {
  while read -r folder; do
    for process in /proc/[0-9]*; do
      case "$(readlink "$process/cwd")/" in "$folder"/*) kill -s "$1" "\${process#/proc/}" ;; esac
    done
  done <"$ledger/folders"
}
named() { while read -r signal pid; do kill -s "\${1:-$signal}" "$pid"; done <"$ledger/processes"; }
any() { while read -r signal pid; do kill -0 "$pid" && return 0; done <"$ledger/processes"; return 1; }
{
  named CONT; inside CONT; named
  for turn in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25; do any || break; sleep 0.2; done
  named KILL; inside KILL
  while read -r name; do docker rm --force --volumes "$name"; done <"$ledger/containers"
  while read -r folder; do rm -rf "$folder" || { sleep 1; rm -rf "$folder"; }; done <"$ledger/folders"
  rm -rf "$ledger"
} >/dev/null 2>&1
`;

/**
 * Ends this process's servers when this process ends, even by SIGKILL.
 *
 * A small shell process watches a pipe that only this process holds open. What it has to end stands in a ledger on disk, written before or right as it comes to be.
 */
class Guard {
  readonly #ledger: string;
  readonly #processes = new Map<number, NodeJS.Signals>();
  readonly #containers = new Set<string>();
  readonly #folders = new Set<string>();
  readonly #child: ChildProcess;

  constructor() {
    this.#ledger = mkdtempSync(join(tmpdir(), "postrider-guard-"));
    this.#write();
    // Its own session: a Ctrl-C in the terminal is for the owner, and the guard must outlive it.
    this.#child = spawn("/bin/sh", ["-c", SCRIPT, "postrider-guard", this.#ledger], {
      cwd: "/",
      detached: true,
      stdio: ["pipe", "ignore", "ignore"],
    });
    this.#child.unref();
    (this.#child.stdin as unknown as { unref(): void }).unref();
  }

  /** @param signal  what ends it politely */
  addProcess(pid: number, signal: NodeJS.Signals): void {
    this.#processes.set(pid, signal);
    this.#write();
  }

  removeProcess(pid: number): void {
    this.#processes.delete(pid);
    this.#write();
  }

  addContainer(name: string): void {
    this.#containers.add(name);
    this.#write();
  }

  removeContainer(name: string): void {
    this.#containers.delete(name);
    this.#write();
  }

  /** A new folder under the system's temporary one. */
  makeFolder(purpose: string): string {
    const folder = mkdtempSync(join(tmpdir(), `postrider-${purpose}-`));
    this.#folders.add(folder);
    this.#write();
    return folder;
  }

  removeFolder(folder: string): void {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    this.#folders.delete(folder);
    this.#write();
  }

  /** Whole or not at all: the guard may read at any moment. */
  #write(): void {
    const processes = [...this.#processes].map(([pid, signal]) => `${signal.replace("SIG", "")} ${pid}`);
    const lists = { processes, folders: [...this.#folders], containers: [...this.#containers] };
    for (const [name, lines] of Object.entries(lists)) {
      const path = join(this.#ledger, name);
      writeFileSync(`${path}.new`, lines.map((line) => `${line}\n`).join(""));
      renameSync(`${path}.new`, path);
    }
  }
}

let only: Guard | undefined;

/** The guard of this process; it starts at the first call. */
export function guard(): Guard {
  return (only ??= new Guard());
}
