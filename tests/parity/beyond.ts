import type { Words } from "./columns.ts";

/** Where a technology shows it: a test of this repository, or why there is none. */
export type Proof = { readonly test: string } | { readonly none: string };

/** What takes real processes and servers that die, by technology; each has tests of its own, with its own way of dying. */
export interface Trial extends Words {
  readonly proofs: readonly Proof[];
}

export const TECHNOLOGIES: readonly string[] = ["memory", "SQLite", "PostgreSQL", "MySQL, MariaDB", "RabbitMQ", "Kafka"];

const MEMORY: Proof = { none: "memory ends with its process" };
const EMBEDDED: Proof = { none: "SQLite has no server and no network: its process is the one that dies" };
const MYSQL_STORE: Proof = { none: "a store of MySQL or MariaDB carries no messages: its processes share nothing but rows" };
const test = (path: string): Proof => ({ test: path });

export const TRIALS: readonly Trial[] = [
  {
    english: "instances that die under load",
    korean: "부하 중 인스턴스의 죽음",
    proofs: [
      MEMORY,
      test("tests/crash/random-kills.int.test.ts"),
      test("tests/postgres/processes.broker.test.ts"),
      MYSQL_STORE,
      test("tests/rabbitmq/members.broker.test.ts"),
      test("tests/kafka/crash.broker.test.ts"),
    ],
  },
  {
    english: "the server killed and started again",
    korean: "서버 강제 종료 후 재시작",
    proofs: [
      MEMORY,
      EMBEDDED,
      test("tests/postgres/restart.broker.test.ts"),
      test("tests/stores/restart.broker.test.ts"),
      test("tests/rabbitmq/restart.broker.test.ts"),
      test("tests/kafka/restart.broker.test.ts"),
    ],
  },
  {
    english: "connections that break, or swallow everything",
    korean: "끊기거나 응답 없는 연결",
    proofs: [
      MEMORY,
      EMBEDDED,
      test("tests/postgres/restart.broker.test.ts"),
      test("packages/postrider/src/adapters/mysql/store-faults.broker.test.ts"),
      test("tests/rabbitmq/faults.broker.test.ts"),
      test("tests/kafka/network.broker.test.ts"),
    ],
  },
  {
    english: "TLS, passwords and certificates through the whole adapter",
    korean: "어댑터 전체를 통한 TLS, 암호, 인증서",
    proofs: [
      MEMORY,
      EMBEDDED,
      {
        none: "the options are the client's own, handed on; the client is tried against the tests' server in `tests/brokers/secure.broker.test.ts`",
      },
      {
        none: "the options are the client's own, handed on; the client is tried against the tests' server in `tests/brokers/secure.broker.test.ts`",
      },
      test("tests/rabbitmq/secure.broker.test.ts"),
      test("tests/kafka/secure.broker.test.ts"),
    ],
  },
];
