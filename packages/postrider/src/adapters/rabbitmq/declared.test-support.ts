import type { TransportConformanceOptions } from "../../testing/transport-conformance.ts";

/** What the transport on RabbitMQ says of itself. */
export const rabbitTransport: Pick<TransportConformanceOptions, "name" | "features" | "gaps"> = {
  name: "rabbitmq",
  features: {
    lanes: "owned",
    positions: false,
    redeliveredFlag: true,
    priority: "emulated",
    replay: false,
    manyProcesses: true,
    history: false,
    colocated: false,
    bodyLimit: true,
    crash: true,
    foreign: true,
  },
  gaps: {
    positions: "a queue numbers nothing; the inbox knows what was handled, and what comes again is counted in the store before it runs",
    replay: "a queue forgets what is settled",
    history: "a queue holds what was sent since it was made: a new subscription begins there",
    colocated: "a broker has no part in a database's transaction: the outbox and the inbox stand in between",
    retire:
      "a queue that nobody reads is deleted with the broker's own tools; a destination of commands has one set of queues, so that a new owner goes on where the last one stood",
  },
};
