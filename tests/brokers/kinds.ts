/** The servers that the bench knows. */
export type BrokerKind = "postgres" | "mariadb" | "rabbitmq" | "kafka";

export const BROKER_KINDS: readonly BrokerKind[] = ["postgres", "mariadb", "rabbitmq", "kafka"];

/** Where a server answers, or why there is none. */
export type BrokerAddress = BrokerFound | BrokerMissing;

export interface BrokerFound {
  /** `postgres://…`, `mysql://…`, `amqp://…` or `kafka://host:port`, with a user that may do anything. */
  readonly url: string;
  /** RabbitMQ only: the management API, which makes virtual hosts and policies. */
  readonly managementUrl?: string;
  readonly missing?: undefined;
}

export interface BrokerMissing {
  readonly missing: string;
  /** It was left out on purpose. */
  readonly isUnwanted?: boolean;
  readonly url?: undefined;
}

export type BrokerAddresses = Readonly<Record<BrokerKind, BrokerAddress>>;

/** A URL in one of these is taken as it is, and nothing is started for that kind. */
export const URL_VARIABLES: Readonly<Record<BrokerKind, string>> = {
  postgres: "POSTRIDER_TEST_POSTGRES",
  mariadb: "POSTRIDER_TEST_MYSQL",
  rabbitmq: "POSTRIDER_TEST_RABBITMQ",
  kafka: "POSTRIDER_TEST_KAFKA",
};

/** Goes with `POSTRIDER_TEST_RABBITMQ`. */
export const MANAGEMENT_VARIABLE = "POSTRIDER_TEST_RABBITMQ_MANAGEMENT";
/** Kinds to start, by commas; all without it. The others are missing, with that as the reason. */
export const KINDS_VARIABLE = "POSTRIDER_TEST_BROKERS";
