/** Where an answer goes: a partition of the topic for answers, and the inbox that reads it. */
export interface ReplyAddress {
  readonly topic: string;
  readonly partition: number;
  readonly inbox: string;
}

const SCHEME = "kafka-reply:";
const FORM = /^kafka-reply:([^/]+)\/(\d{1,6})\/(.+)$/;
const MAX_KNOWN = 256; // one for each process that asks
const known = new Map<string, ReplyAddress | undefined>();

/** The address as it goes into `replyto`. */
export function replyAddress({ topic, partition, inbox }: ReplyAddress): string {
  return `${SCHEME}${topic}/${partition}/${inbox}`;
}

/** Reads an address; undefined for what is a topic's name. */
export function parseReplyAddress(destination: string): ReplyAddress | undefined {
  if (!destination.startsWith(SCHEME)) return undefined;
  if (known.has(destination)) return known.get(destination);
  const address = read(destination);
  if (known.size >= MAX_KNOWN) known.clear(); // addresses come from others' messages: not without end
  known.set(destination, address);
  return address;
}

function read(destination: string): ReplyAddress | undefined {
  const [, topic, partition, inbox] = FORM.exec(destination) ?? [];
  return topic === undefined || inbox === undefined ? undefined : { topic, partition: Number(partition), inbox };
}
