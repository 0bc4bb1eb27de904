import { runCommand } from "./command.mjs";

/** In the order of their price: the first that fails ends the run. */
const CHECKS = [
  { name: "format", command: ["oxfmt", "--check", "."], remedy: "npm run format" },
  { name: "lint", command: ["oxlint", "--type-aware", "--deny-warnings"] },
  { name: "types", command: ["tsc", "-b"] },
  { name: "dead code", command: ["knip"] },
  { name: "package shape", command: ["publint", "--strict", "packages/postrider"] },
  { name: "package types", command: ["attw", "--pack", "packages/postrider", "--profile", "esm-only"] },
];
const TESTS = { name: "tests", command: ["vitest", "run"] };

/**
 * Runs every check and then the tests, whose own summary comes last; stops at the first that fails and says which it was.
 *
 * @param {string} node  path of the Node binary
 * @param {readonly string[]} args  `--no-vitest` leaves the tests out; the rest goes to vitest
 */
export async function runChecks(node, args) {
  const withTests = !args.includes("--no-vitest");
  const tests = { ...TESTS, command: [...TESTS.command, ...args.filter((arg) => arg !== "--no-vitest")] };
  for (const check of withTests ? [...CHECKS, tests] : CHECKS) {
    console.log(`\n── ${check.name}: ${check.command.join(" ")}`);
    const ended = await runCommand(node, check.command);
    if (ended.code !== 0) {
      console.error(`\npostrider: ${check.name} failed.${check.remedy ? ` "${check.remedy}" mends it.` : ""}`);
      return ended;
    }
  }
  return { code: 0, signal: null };
}
