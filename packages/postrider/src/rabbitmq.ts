export { rabbitmq } from "./presets/rabbitmq.ts";
export type { RabbitmqOptions } from "./presets/rabbitmq.ts";
export type { ExistingPlace } from "./adapters/rabbitmq/routing.ts";
