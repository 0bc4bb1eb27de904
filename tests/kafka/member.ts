// A process that takes what comes and tells its parent; it is killed in the middle.
import { openTransport, subscriptionTo, take } from "./harness.ts";

const [url, name, lanes, instanceId] = process.argv.slice(2) as [string, string, string, string | undefined];
const timing = instanceId === undefined ? { sessionMs: 6000 } : { instanceId };
const transport = await openTransport(url, { ...timing, revokeMs: 2000, commitIntervalMs: 100 });
const taker = await take(transport, subscriptionTo({ name, kind: "events", lanes: Number(lanes), isExternal: false }));
let told = 0;
setInterval(() => {
  const fresh = taker.taken.slice(told);
  told = taker.taken.length;
  if (fresh.length > 0) process.send!(fresh);
}, 10);
