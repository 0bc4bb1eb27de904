import { DatabaseSync } from "node:sqlite";

/** An answer of the provider: what a repeated key gets again. */
export interface ProviderAnswer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/**
 * The provider's own books, in its own file: charges, refunds and the answers by key.
 *
 * They outlive the process, as a real provider's would: a charge asked for again after a crash is still the same charge.
 */
export class ProviderBooks {
  readonly #file: DatabaseSync;

  constructor(path: string) {
    this.#file = new DatabaseSync(path, { timeout: 2_000 });
    this.#file.exec(`pragma journal_mode = wal; pragma synchronous = full;
      create table if not exists answers (key text primary key, request text not null, status integer not null, body text not null);
      create table if not exists refusals (key text primary key);
      create table if not exists charges (charge_id text primary key, order_id text not null, amount integer not null, refunded integer not null);`);
  }

  /** Answers a call once: the same key with the same request gets the first answer again, with another request a 422. */
  once(key: string, request: string, answer: () => ProviderAnswer): ProviderAnswer {
    this.#file.exec("begin immediate");
    try {
      const given = this.#find(key, request) ?? this.#write(key, request, answer());
      this.#file.exec("commit");
      return given;
    } catch (error) {
      this.#file.exec("rollback");
      throw error;
    }
  }

  /** Takes money. */
  charge(chargeId: string, orderId: string, amount: number): void {
    this.#file.prepare("insert into charges (charge_id, order_id, amount, refunded) values (?, ?, ?, 0)").run(chargeId, orderId, amount);
  }

  /** Gives all of a charge's money back; false when there is none, or not that much. */
  refund(chargeId: string, amount: number): boolean {
    return (
      this.#file.prepare("update charges set refunded = amount where charge_id = ? and amount = ? and refunded = 0").run(chargeId, amount)
        .changes === 1
    );
  }

  /** Whether this is the first time that a key is refused. */
  refuseFirst(key: string): boolean {
    return this.#file.prepare("insert into refusals (key) values (?) on conflict do nothing").run(key).changes === 1;
  }

  close(): void {
    if (this.#file.isOpen) this.#file.close();
  }

  #find(key: string, request: string): ProviderAnswer | undefined {
    const row = this.#file.prepare("select request, status, body from answers where key = ?").get(key);
    if (row === undefined) return undefined;
    if (row["request"] !== request) return { status: 422, body: { code: "idempotency_key_reused" } };
    return { status: Number(row["status"]), body: JSON.parse(String(row["body"])) as Record<string, unknown> };
  }

  #write(key: string, request: string, answer: ProviderAnswer): ProviderAnswer {
    const isFinal = answer.status !== 400; // a refused call may be made again once its cause is mended
    if (isFinal)
      this.#file
        .prepare("insert into answers (key, request, status, body) values (?, ?, ?, ?)")
        .run(key, request, answer.status, JSON.stringify(answer.body));
    return answer;
  }
}
