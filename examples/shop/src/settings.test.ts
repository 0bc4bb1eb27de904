import { describe, expect, test } from "vitest";
import { keepsPace, SERVICES, settingsOf } from "./settings.ts";

describe("the environment", () => {
  test("may be empty: then everything runs here, with a demonstration to watch", () => {
    expect(settingsOf({ PORT: "", HOME: "/nowhere" })).toMatchObject({
      host: "127.0.0.1",
      port: 3000,
      services: [...SERVICES],
      isDemo: true,
      providerUrl: undefined,
      memberUrl: undefined,
    });
  });

  test("names the services of this process, each once", () => {
    expect(settingsOf({ SHOP_SERVICES: "ordering, payment,ordering" }).services).toEqual(["ordering", "payment"]);
  });

  test("may let services remember on MySQL, which carries no messages", () => {
    expect(settingsOf({ SHOP_STORE: "mysql://root@localhost/shop" }).infrastructure.store).toBe("mysql://root@localhost/shop");
    expect(() => settingsOf({ SHOP_EVENTS: "mysql://root:secret@localhost/shop" })).toThrow(/^(?!.*secret).*SHOP_EVENTS/);
  });

  test.each([
    [undefined, false],
    ["sqlite:", false],
    ["sqlite:other.db", false],
    ["postgres://localhost/shop", true],
    ["amqp://localhost", true],
    ["kafka://localhost:9092", true],
  ])("with commands on %s customers are held up at the door: %s", (commands, isPaced) => {
    expect(keepsPace(settingsOf({ SHOP_COMMANDS: commands, SHOP_EVENTS: "kafka://localhost:9092" }))).toBe(isPaced);
  });

  test("that is wrong is refused with every mistake named", () => {
    expect(() =>
      settingsOf({ PORT: "70000", SHOP_SERVICES: "gateway,kitchen", SHOP_DEMO: "maybe", PAYMENT_PROVIDER_URL: "ftp://provider" }),
    ).toThrow(/PORT.*SHOP_SERVICES.*PAYMENT_PROVIDER_URL.*SHOP_DEMO/s);
  });
});
