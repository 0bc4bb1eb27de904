import type { BrokerKind } from "../kinds.ts";
import type { Recipe } from "../recipe.ts";
import { kafkaRecipe } from "./kafka.ts";
import { mariadbRecipe } from "./mariadb.ts";
import { postgresRecipe } from "./postgres.ts";
import { rabbitmqRecipe } from "./rabbitmq.ts";

export const RECIPES: Readonly<Record<BrokerKind, Recipe>> = {
  postgres: postgresRecipe,
  mariadb: mariadbRecipe,
  rabbitmq: rabbitmqRecipe,
  kafka: kafkaRecipe,
};
