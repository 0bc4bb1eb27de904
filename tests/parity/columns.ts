import { kafkaTransport } from "../../packages/postrider/src/adapters/kafka/declared.test-support.ts";
import { memoryStore, memoryTransport } from "../../packages/postrider/src/adapters/memory/declared.test-support.ts";
import { mysqlStore } from "../../packages/postrider/src/adapters/mysql/declared.test-support.ts";
import { postgresStore, postgresTransport } from "../../packages/postrider/src/adapters/postgres/declared.test-support.ts";
import { rabbitTransport } from "../../packages/postrider/src/adapters/rabbitmq/declared.test-support.ts";
import { sqliteStore, sqliteTransport } from "../../packages/postrider/src/adapters/sqlite/declared.test-support.ts";
import type { StoreFeatures } from "../../packages/postrider/src/testing/store-environment.ts";
import type { SuiteDeclaration } from "../../packages/postrider/src/testing/suite.ts";
import type { TransportFeatures } from "../../packages/postrider/src/testing/transport-environment.ts";

/** One adapter in a table: what it declares is what its conformance test is given. */
export interface Column<Features> {
  readonly title: string;
  readonly declaration: SuiteDeclaration<Features>;
}

/** A line of a table in both languages. */
export interface Words {
  readonly english: string;
  readonly korean: string;
}

export const TRANSPORTS: readonly Column<TransportFeatures>[] = [
  { title: "memory", declaration: memoryTransport },
  { title: "SQLite", declaration: sqliteTransport },
  { title: "PostgreSQL", declaration: postgresTransport },
  { title: "RabbitMQ", declaration: rabbitTransport },
  { title: "Kafka", declaration: kafkaTransport },
];

export const STORES: readonly Column<StoreFeatures>[] = [
  { title: "memory", declaration: memoryStore },
  { title: "SQLite", declaration: sqliteStore },
  { title: "PostgreSQL", declaration: postgresStore },
  { title: "MySQL, MariaDB", declaration: mysqlStore },
];

export const TRANSPORT_FEATURES: Readonly<Record<keyof TransportFeatures, Words>> = {
  lanes: { english: "one owner at a time for each key's lane", korean: "키의 레인마다 소유자는 한 번에 하나" },
  positions: {
    english: "positions that only grow: a mark says all that was taken",
    korean: "늘어나기만 하는 위치: 표시 하나로 처리된 범위를 앎",
  },
  redeliveredFlag: { english: "a redelivered message says so", korean: "다시 전달된 메시지임을 표시" },
  priority: { english: "urgent messages first", korean: "급한 메시지 먼저" },
  replay: { english: "old messages can be read again", korean: "지난 메시지 다시 읽기" },
  manyProcesses: { english: "several processes", korean: "여러 프로세스" },
  history: { english: "a new subscription can begin with what was there before it", korean: "새 구독이 이전 메시지부터 시작 가능" },
  colocated: { english: "sends and settlings in the store's own transaction", korean: "보내기와 확인을 저장소의 트랜잭션 안에서" },
  bodyLimit: { english: "too large a body is refused", korean: "너무 큰 본문 거부" },
  crash: { english: "the death of its process, in the suite", korean: "프로세스의 죽음(이 시험 모음 안에서)" },
  foreign: { english: "messages of others, byte for byte", korean: "다른 프로그램의 메시지를 바이트 그대로" },
  retire: { english: "subscriptions can be retired and taken over", korean: "구독 은퇴와 인계" },
};

export const STORE_FEATURES: Readonly<Record<keyof StoreFeatures, Words>> = {
  sql: { english: "users' own SQL in its transactions", korean: "트랜잭션 안에서 사용자의 SQL" },
  crash: { english: "the death of its process, in the suite", korean: "프로세스의 죽음(이 시험 모음 안에서)" },
};

/** The suites' groups in Korean; a new one is added here. */
export const GROUPS_KOREAN: Readonly<Record<string, string>> = {
  "Sending and reading": "보내기와 읽기",
  "What is sent comes back as it was": "보낸 그대로 돌아옴",
  Refusals: "거부",
  Order: "순서",
  "Flow control": "흐름 제어",
  "Lanes and their owners": "레인과 소유자",
  "Stopping, closing, dying": "멈춤, 닫힘, 죽음",
  "In one transaction with the store": "저장소와 한 트랜잭션에서",
  "Replay and answers": "다시 읽기와 응답",
  "Services that come and go": "오고 가는 서비스",
  Transactions: "트랜잭션",
  "Users' own SQL": "사용자의 SQL",
  Inbox: "받은 편지함(inbox)",
  Outbox: "보낼 편지함(outbox)",
  Schedule: "예약",
  "Held messages": "보관된 메시지",
  "Order behind a failure": "실패 뒤의 순서",
  "Dead letters": "데드 레터",
  "Starts, effects, leases": "시작 표시, 효과, 임대",
  Retention: "보존",
};
