import type { TransportConformanceOptions } from "../../testing/transport-conformance.ts";

/** What the transport on Kafka says of itself. */
export const kafkaTransport: Pick<TransportConformanceOptions, "name" | "features" | "gaps"> = {
  name: "kafka",
  features: {
    lanes: "owned",
    positions: true,
    redeliveredFlag: false,
    priority: "none",
    replay: true,
    manyProcesses: true,
    history: true,
    colocated: false,
    bodyLimit: true,
    crash: false,
    foreign: true,
  },
  gaps: {
    redeliveredFlag: "a log with offsets does not know what was handed over before a crash; the store's marks of what was started do",
    priority:
      'a partition is one log: `priority` is refused unless `kafka({ priority: "fetched" })` lets urgent messages go first among those fetched',
    colocated: "a broker has no part in a database's transaction: the outbox and the inbox stand in between",
    crash: "a member that dies is shown by processes that are killed, in `tests/kafka/crash.broker.test.ts`",
    retire:
      "offsets of a group that nobody runs expire by themselves, and hold nothing back; whoever takes commands over is another group and would begin at the first record: `groupId` gives it the earlier one's",
  },
};
