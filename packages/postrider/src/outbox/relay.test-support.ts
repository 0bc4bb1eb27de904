import { memoryWorld } from "../adapters/memory/world.ts";
import { fail } from "../base/errors.ts";
import { uuidv7Ids } from "../base/ids.ts";
import { seededRandom } from "../base/random.ts";
import { VirtualClock } from "../base/virtual-clock.ts";
import { unsentLetters } from "../deadletters/letter.ts";
import { NO_HEADERS } from "../envelope/envelope.ts";
import type { LogFields, Logger } from "../ports/logger.ts";
import type { DeadLetter } from "../ports/dead-letters.ts";
import type { Store } from "../ports/store.ts";
import type { Outgoing } from "../envelope/envelope.ts";
import type { SendOutcome, Transport } from "../ports/transport.ts";
import { outboxRelay } from "./relay.ts";
import type { OutboxRelay, OutboxRelayOptions } from "./relay.ts";

type Trouble = (message: Outgoing, round: number) => SendOutcome;

/** The memory transport, whose sends meet the trouble given: a message in trouble does not arrive. */
export async function harbour(trouble: Trouble = () => undefined) {
  const clock = new VirtualClock(0);
  const world = memoryWorld({ clock });
  const store = world.store("ordering");
  const real = world.transport();
  await real.apply({ destinations: [{ name: "order.events", kind: "events", lanes: 1, isExternal: false }], subscriptions: [] });
  const sent: { readonly id: string; readonly at: number }[] = [];
  const buried: DeadLetter[] = [];
  const lines: string[] = [];
  let round = 0;
  const send: Transport["send"] = async (batch, options) => {
    round++;
    const outcomes = batch.map((message) => trouble(message, round));
    const arriving = batch.filter((_, index) => outcomes[index] === undefined);
    for (const { envelope } of arriving) sent.push({ id: envelope.id, at: clock.now() });
    await real.send(arriving, options);
    return outcomes;
  };
  const transport = Object.assign(Object.create(real) as Transport, { send });
  const relay = (change: Partial<OutboxRelayOptions> = {}): OutboxRelay =>
    outboxRelay({
      store,
      kind: "event",
      transport: () => transport,
      letterOf: unsentLetters("ordering", uuidv7Ids(clock)),
      onBuried: (letter) => void buried.push(letter),
      clock,
      random: seededRandom(1),
      logger: noting(lines),
      owner: "relay-1",
      ...change,
    });
  return { clock, store, real, transport, sent, buried, lines, relay, ids: () => sent.map(({ id }) => id) };
}

function noting(lines: string[]): Logger {
  const note = (level: string) => (_: LogFields, text: string) => void lines.push(`${level} ${text}`);
  return { debug: note("debug"), info: note("info"), warn: note("warn"), error: note("error") };
}

export const message = (id: string, key?: string): Outgoing => ({
  envelope: {
    id,
    source: "/s",
    type: "order.placed",
    kind: "event",
    contractversion: 1,
    time: "2026-01-01T00:00:00.000Z",
    ...(key === undefined ? {} : { partitionkey: key }),
  },
  headers: NO_HEADERS,
  body: "{}",
  destination: "order.events",
  mayRepeat: false,
});
export const write = (store: Store, ...messages: readonly Outgoing[]): Promise<void> =>
  store.transaction((transaction) => transaction.outbox.append(messages));
export const away = fail("PR_TRANSPORT_FAILED", { transport: "memory", during: "send", detail: "no" });
