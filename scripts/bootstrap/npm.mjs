import { spawn } from "node:child_process";
import { basename } from "node:path";
import { Expected } from "./places.mjs";

const NETWORK_ERRORS =
  /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT|UNABLE_TO_GET_ISSUER_CERT_LOCALLY|SELF_SIGNED_CERT_IN_CHAIN)\b/;
const NPM_MISSING = "npm was not found; it comes with Node, or install it beside it.";
const SHOWN_LINES = 12; // npm says what is wrong first, then how it is used
const IS_WINDOWS = process.platform === "win32";

/** The npm that started us, else the one on the PATH: the user's registry, proxy and certificates are npm's business. */
function npmCommand() {
  const npm = process.env["npm_execpath"];
  if (npm && basename(npm) === "npm-cli.js") return { file: process.execPath, head: [npm], shell: false };
  return { file: IS_WINDOWS ? "npm.cmd" : "npm", head: [], shell: IS_WINDOWS };
}

/**
 * Runs npm quietly and settles when it has ended; what it prints is shown only when it fails.
 *
 * @param {readonly string[]} args
 * @param {{ cwd: string, signal: AbortSignal }} options  stops: npm is killed when `signal` aborts, and has ended when this rejects
 */
export async function npm(args, { cwd, signal }) {
  const { file, head, shell } = npmCommand();
  const child = spawn(file, [...head, ...args, "--loglevel=error"], { cwd, shell, stdio: ["ignore", "pipe", "pipe"] });
  // Killed, not asked: npm would begin to roll back beside the next installer. What it leaves half done is known as such.
  const kill = () => child.kill("SIGKILL");
  signal.addEventListener("abort", kill, { once: true });
  let output = "";
  child.stdout.on("data", (chunk) => (output += chunk));
  child.stderr.on("data", (chunk) => (output += chunk));
  try {
    const code = await ending(child);
    signal.throwIfAborted();
    if (code !== 0) throw new Expected(reason(args, output));
  } finally {
    signal.removeEventListener("abort", kill);
  }
}

function ending(child) {
  return new Promise((resolve, reject) => {
    child.once("error", (error) => reject(new Expected(error.code === "ENOENT" ? NPM_MISSING : `npm could not be run: ${error.message}`)));
    child.once("close", resolve);
  });
}

function reason(args, output) {
  const network = NETWORK_ERRORS.exec(output)?.[1];
  if (network)
    return `the package registry cannot be reached (${network}); check the network, the proxy and "npm config get registry", then run the command again.`;
  return `"npm ${args.slice(0, 2).join(" ")}" failed:\n${output.trim().split("\n").slice(0, SHOWN_LINES).join("\n")}`;
}
