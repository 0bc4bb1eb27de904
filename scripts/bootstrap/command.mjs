import { spawn } from "node:child_process";
import { delimiter, dirname, join } from "node:path";
import { ROOT } from "./places.mjs";

const SIGNALS = process.platform === "win32" ? ["SIGINT", "SIGTERM"] : ["SIGINT", "SIGTERM", "SIGHUP"];

/**
 * Runs a command in the foreground under the given Node, and answers how it ended.
 *
 * The command finds that Node and the workspace's tools first on its PATH. A signal to this process is passed on: npm sends one to us alone, a terminal
 * and a process manager to the whole group, and the two cannot be told apart; so a command may get the same signal more than once within an instant
 * and must take that as one. A terminal's own Ctrl-C always goes to the group, so SIGINT is not passed on where there is a terminal.
 *
 * @param {string} node  path of the Node binary
 * @param {readonly string[]} command
 * @param {{ cwd?: string, env?: Record<string, string> }} [options]
 * @returns {Promise<{ code: number | null, signal: string | null }>}
 */
export async function runCommand(node, [file, ...args], { cwd = ROOT, env = {} } = {}) {
  const path = [dirname(node), join(ROOT, "node_modules", ".bin"), process.env["PATH"]].join(delimiter);
  const child = spawn(file === "node" ? node : file, args, {
    cwd,
    env: { ...process.env, ...env, PATH: path },
    stdio: "inherit",
    shell: process.platform === "win32" && file !== "node",
  });
  const passOn = (signal) => {
    if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
  };
  for (const signal of SIGNALS) process.on(signal, passOn);
  try {
    return await new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", (code, signal) => resolve({ code, signal }));
    });
  } finally {
    for (const signal of SIGNALS) process.off(signal, passOn);
  }
}

/**
 * Ends this process as the command ended: by the same code, or by the same signal.
 *
 * @param {{ code: number | null, signal: string | null }} ended
 */
export function endLike({ code, signal }) {
  if (signal) process.kill(process.pid, signal);
  else process.exit(code ?? 1);
}
