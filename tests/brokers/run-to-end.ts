import { spawn } from "node:child_process";
import type { Program } from "./recipe.ts";

const OUTPUT_SHOWN = 3000; // characters

/** Runs a program that must succeed, and answers what it printed; rejects with the end of that. */
export async function runToEnd({ file, args, cwd, env, user }: Omit<Program, "endSignal">): Promise<string> {
  const child = spawn(file, args, { cwd, env: { ...process.env, ...env }, ...user, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code !== 0) throw new Error(`${file} ended with ${code}:\n${output.slice(-OUTPUT_SHOWN)}`);
  return output;
}
