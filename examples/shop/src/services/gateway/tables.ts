/** The gateway's read models, and what it records of accepted orders. */
export const TABLES: readonly string[] = [
  "create table if not exists gateway_keys (idempotency_key text primary key, body_hash text not null, order_id text not null)",
  `create table if not exists gateway_orders (
     order_id text primary key, customer_id text not null, status text not null, items text not null, total integer not null, reason text, progress integer not null)`,
  "create index if not exists gateway_orders_customer on gateway_orders (customer_id, order_id)",
  // Ids grow in the order of the commits: they are the ids of the event streams, and where a stream resumes. No row is ever deleted, so none is used twice.
  `create table if not exists gateway_history (
     id integer primary key, order_id text not null, status text not null, at text not null, unique (order_id, status))`,
  "create table if not exists gateway_stock (product_id text primary key, on_hand integer not null, reserved integer not null, sold integer not null, version integer not null)",
  "create table if not exists gateway_items (product_id text primary key, name text not null, price integer not null, member_id text, member_name text, version integer not null)",
  "create table if not exists gateway_invoices (order_id text primary key, customer_id text not null, body text not null)",
  "create index if not exists gateway_invoices_customer on gateway_invoices (customer_id, order_id)",
  `create table if not exists gateway_notes (
     order_id text not null, step text not null, customer_id text not null, text text not null, at text not null, primary key (order_id, step))`,
  "create index if not exists gateway_notes_customer on gateway_notes (customer_id, at)",
  "create table if not exists gateway_members (member_id text primary key, first_name text, last_name text, email text)",
  "create table if not exists gateway_recommendations (product_id text primary key, body text not null)",
  "create table if not exists gateway_analytics (name text primary key, body text not null)",
];
