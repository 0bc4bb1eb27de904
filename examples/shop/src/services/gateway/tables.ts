import type { Dialect } from "../../part.ts";

// Ids of the history grow in the order of the commits: they are the ids of the event streams, and where a stream resumes.
const HISTORY: Readonly<Record<Dialect, readonly string[]>> = {
  // One writes at a time, and no row is ever deleted, so none is used twice.
  sqlite: [
    `create table if not exists gateway_history (
       id integer primary key, order_id varchar(255) not null, status varchar(255) not null, at varchar(255) not null, unique (order_id, status))`,
  ],
  // An identity would be given before the commit, in any order. This number's row is locked from there to the commit.
  postgres: [
    "create table if not exists gateway_counter (name varchar(255) primary key, value bigint not null)",
    "insert into gateway_counter (name, value) values ('history', 0) on conflict do nothing",
    `create or replace function gateway_next_step() returns bigint language sql volatile
       as $$ update gateway_counter set value = value + 1 where name = 'history' returning value $$`,
    `create table if not exists gateway_history (
       id bigint primary key default gateway_next_step(), order_id varchar(255) not null, status varchar(255) not null, at varchar(255) not null, unique (order_id, status))`,
  ],
  // The same, in a trigger: a default cannot ask a table here.
  mysql: [
    "create table if not exists gateway_counter (name varchar(255) primary key, value bigint not null)",
    "insert into gateway_counter (name, value) values ('history', 0) on conflict do nothing",
    `create table if not exists gateway_history (
       id bigint not null default 0 primary key, order_id varchar(255) not null, status varchar(255) not null, at varchar(255) not null, unique (order_id, status))`,
    `create trigger gateway_next_step before insert on gateway_history for each row
     begin
       update gateway_counter set value = value + 1 where name = 'history';
       set new.id = (select value from gateway_counter where name = 'history');
     end`,
  ],
};

const MODELS: readonly string[] = [
  "create table if not exists gateway_keys (idempotency_key varchar(255) primary key, body_hash text not null, order_id varchar(255) not null)",
  `create table if not exists gateway_orders (
     order_id varchar(255) primary key, customer_id varchar(255) not null, status varchar(255) not null, items text not null, total bigint not null, reason text, progress bigint not null)`,
  "create index if not exists gateway_orders_customer on gateway_orders (customer_id, order_id)",
  "create table if not exists gateway_stock (product_id varchar(255) primary key, on_hand bigint not null, reserved bigint not null, sold bigint not null, version bigint not null)",
  "create table if not exists gateway_items (product_id varchar(255) primary key, name varchar(255) not null, price bigint not null, member_id varchar(255), member_name text, version bigint not null)",
  "create table if not exists gateway_invoices (order_id varchar(255) primary key, customer_id varchar(255) not null, body text not null)",
  "create index if not exists gateway_invoices_customer on gateway_invoices (customer_id, order_id)",
  `create table if not exists gateway_notes (
     order_id varchar(255) not null, step varchar(255) not null, customer_id varchar(255) not null, text text not null, at varchar(255) not null, primary key (order_id, step))`,
  "create index if not exists gateway_notes_customer on gateway_notes (customer_id, at)",
  "create table if not exists gateway_members (member_id varchar(255) primary key, first_name text, last_name text, email text)",
  "create table if not exists gateway_recommendations (product_id varchar(255) primary key, body text not null)",
  "create table if not exists gateway_analytics (name varchar(255) primary key, body text not null)",
];

/** The gateway's read models, and what it records of accepted orders. */
export const TABLES: Readonly<Record<Dialect, readonly string[]>> = {
  sqlite: [...MODELS, ...HISTORY.sqlite],
  postgres: [...MODELS, ...HISTORY.postgres],
  mysql: [...MODELS, ...HISTORY.mysql],
};
