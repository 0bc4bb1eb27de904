import { parseArgs } from "node:util";
import { readState, startInBackground, startInForeground, stop } from "./development.ts";
import { BROKER_KINDS, type BrokerKind, KINDS_VARIABLE } from "./kinds.ts";
import { printed } from "./printed.ts";

const USAGE = `usage: npm run brokers                       starts them and stays; Ctrl-C ends them
       npm run brokers -- start --background starts them and comes back
       npm run brokers -- urls               prints where they are
       npm run brokers -- stop               ends them
Names of kinds behind "start" start only those: ${BROKER_KINDS.join(", ")}.`;

const { positionals, values } = parseArgs({ allowPositionals: true, options: { background: { type: "boolean", default: false } } });
const [command = "start", ...kinds] = positionals;

try {
  await run();
} catch (error) {
  console.error(`postrider: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}

async function run(): Promise<void> {
  if (command === "start") return start();
  if (kinds.length > 0) throw new Error(USAGE);
  if (command === "stop") return stop();
  if (command !== "urls") throw new Error(USAGE);
  const state = readState();
  if (state === undefined) throw new Error("no brokers run for this checkout");
  process.stdout.write(printed(state.addresses));
}

async function start(): Promise<void> {
  if (!kinds.every((kind): kind is BrokerKind => BROKER_KINDS.includes(kind as BrokerKind))) throw new Error(USAGE);
  if (kinds.length > 0) process.env[KINDS_VARIABLE] = kinds.join(",");
  const addresses = await (values.background ? startInBackground() : startInForeground());
  process.stdout.write(printed(addresses));
}
