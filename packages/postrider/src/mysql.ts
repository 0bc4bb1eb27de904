export { mysqlStores } from "./presets/mysql.ts";
export type { MysqlStoreOptions } from "./presets/mysql.ts";
export type { MysqlConnection, MysqlPool, MysqlPoolOptions, MysqlValue } from "./adapters/mysql/connection.ts";
