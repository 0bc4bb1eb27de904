import { execFile, type ExecFileException } from "node:child_process";

/** How a program ended. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end, and answers whatever it did; one that does not end in time is killed and has no code. */
export function run(
  file: string,
  args: readonly string[],
  options: { readonly cwd: string; readonly env?: NodeJS.ProcessEnv; readonly limitMs?: number },
): Promise<Ended> {
  return new Promise((resolve) => {
    const settings = {
      cwd: options.cwd,
      env: options.env ?? process.env,
      timeout: options.limitMs ?? 60_000,
      killSignal: "SIGKILL",
      maxBuffer: 16 * 1024 * 1024,
    } as const;
    execFile(file, [...args], settings, (error: ExecFileException | null, stdout, stderr) => {
      resolve({ code: error === null ? 0 : typeof error.code === "number" ? error.code : null, stdout, stderr });
    });
  });
}

/** Runs a program that must succeed, and answers what it printed; fails with all of its output. */
export async function runWell(
  file: string,
  args: readonly string[],
  options: { readonly cwd: string; readonly env?: NodeJS.ProcessEnv; readonly limitMs?: number },
): Promise<string> {
  const { code, stdout, stderr } = await run(file, args, options);
  if (code !== 0) throw new Error(`${file} ${args.join(" ")} ended with ${code}:\n${stdout}\n${stderr}`);
  return stdout;
}
