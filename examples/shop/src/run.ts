import { setPriority } from "node:os";
import { settingsOf } from "./settings.ts";
import type { Settings } from "./settings.ts";
import { startShop } from "./shop.ts";
import type { Shop } from "./shop.ts";
import { systemWorld } from "./world.ts";
import type { World } from "./world.ts";

const PATIENCE_MS = 5_000; // wrappers and terminals send a stop signal twice; whoever repeats it after this means it
const SAME_KEYPRESS_MS = 300;
const LAST_MS = 9_500; // a stop takes no more than ten seconds
const LISTENERS = 10; // niceness

const world = systemWorld((line) => void process.stderr.write(line));
try {
  const settings = settingsOf(process.env);
  const shop = await startShop(settings, world);
  giveWay(settings);
  stopOnSignals(shop, world);
  process.stdout.write(`listening on ${shop.url}\n`);
} catch (error) {
  process.stderr.write(`The shop cannot start. ${error instanceof Error ? error.message : String(error)}\n`);
  world.logger.error({ err: error }, "the shop cannot start");
  process.exit(1);
}

/** Where the processor is short, who only hears of orders comes after those who take them and bring them to their end. */
function giveWay({ services }: Settings): void {
  if ((["gateway", "ordering", "payment", "inventory", "shipping"] as const).some((name) => services.includes(name))) return;
  try {
    setPriority(LISTENERS);
  } catch (error) {
    world.logger.warn({ err: error }, "the priority of this process stays as it was");
  }
}

/** SIGTERM and SIGINT drain and end with 0; repeated in earnest they end at once. */
function stopOnSignals(shop: Shop, { clock, logger }: World): void {
  let since: number | undefined;
  const onSignal = (signal: NodeJS.Signals): void => {
    const waitedMs = since === undefined ? undefined : clock.monotonicMs() - since;
    if (waitedMs !== undefined) {
      if (waitedMs > (signal === "SIGINT" ? SAME_KEYPRESS_MS : PATIENCE_MS)) end(shop.stop({ force: true }), 1);
      return;
    }
    since = clock.monotonicMs();
    end(shop.stop(), 0);
  };
  const end = (stopping: Promise<void>, code: number): void => {
    clock.after(code === 0 ? LAST_MS : SAME_KEYPRESS_MS, () => process.exit(1));
    stopping.then(
      () => process.exit(code),
      (error: unknown) => {
        logger.error({ err: error }, "the shop did not stop cleanly");
        process.exit(1);
      },
    );
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
}
