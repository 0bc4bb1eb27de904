import type { MigrationPart } from "./migrations.ts";
import { OUTBOX_CLAIM_CLASS } from "./locks.ts";

/**
 * The tables and functions of the stores, by steps. A released step never changes: add one behind it.
 *
 * Names begin with `pr_`, because users' own tables may live in the same schema. Texts that come from others are kept by `toText`; ids are compared
 * byte by byte (`collate "C"`), as JavaScript does, whatever the database's language is. Bodies are bytes, so that no byte is ever changed. An ordering key may be longer
 * than an index takes, so its digest is indexed.
 */
export const STORE_PART: MigrationPart = {
  name: "store",
  steps: [
    `create table {schema}.pr_inbox (service text not null, handler text not null, message_id text collate "C" not null, body_hash text not null, at bigint not null,
       primary key (service, handler, message_id)) with (autovacuum_vacuum_scale_factor = 0.05);
     create index pr_inbox_at on {schema}.pr_inbox (service, at);

     create table {schema}.pr_outbox (sequence bigint generated always as identity, service text not null, id text not null, aggregatetype text not null, aggregateid text not null,
       type text not null, payload bytea not null, is_text boolean not null, may_repeat boolean not null, head text not null, headers text, is_event boolean not null,
       attempts integer not null default 0, fence integer not null default 0, free_at bigint not null default 0, owner text,
       primary key (service, is_event, sequence)) with (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000, fillfactor = 90);
     create index pr_outbox_taken on {schema}.pr_outbox (service, is_event, free_at) where free_at > 0;

     create table {schema}.pr_schedule (service text not null, id text collate "C" not null, due_at bigint not null, cron text, timezone text, destination text not null,
       may_repeat boolean not null, head text not null, headers text, body bytea not null, is_text boolean not null, primary key (service, id));
     create index pr_schedule_due on {schema}.pr_schedule (service, due_at);

     create sequence {schema}.pr_held_sequence;
     create table {schema}.pr_held (service text not null, id text collate "C" not null, sequence bigint not null default nextval('{schema}.pr_held_sequence'),
       purpose text not null, due_at bigint, destination text not null, lane integer not null, key text, is_ordered boolean not null, head text, headers text,
       body bytea not null, is_text boolean not null, failures integer not null, first_failed_at bigint, dead_letter_id text, redrives integer not null,
       fence bigint not null default 0, claimed_until bigint not null default 0, primary key (service, id)) with (autovacuum_vacuum_scale_factor = 0.05);
     create index pr_held_due on {schema}.pr_held (service, destination, due_at, sequence) where due_at is not null;
     create index pr_held_next on {schema}.pr_held (service, due_at) where due_at is not null and claimed_until = 0;
     create index pr_held_claimed on {schema}.pr_held (service, claimed_until) where claimed_until > 0;
     create index pr_held_key on {schema}.pr_held (service, destination, md5(key), sequence) where key is not null;

     create table {schema}.pr_dead_letters (service text not null, id text collate "C" not null, list text not null, contract text not null, message_id text not null,
       destination text not null, lane integer not null, key text, is_ordered boolean not null, head text, headers text, body bytea not null, is_text boolean not null,
       code text not null, reason text not null, stack text, fingerprint text not null, attempts integer not null, at bigint not null, redrives integer not null,
       primary key (service, id));
     create index pr_dead_letters_key on {schema}.pr_dead_letters (service, destination, md5(key)) where key is not null;
     create index pr_dead_letters_message on {schema}.pr_dead_letters (service, message_id);
     create index pr_dead_letters_at on {schema}.pr_dead_letters (service, list, at);
     create index pr_dead_letters_cause on {schema}.pr_dead_letters (service, fingerprint);

     create table {schema}.pr_taken (service text not null, destination text not null, lane integer not null, position bigint not null,
       primary key (service, destination, lane)) with (fillfactor = 50);
     create table {schema}.pr_starts (service text not null, message_id text not null, count integer not null, at bigint not null, primary key (service, message_id));
     create table {schema}.pr_effects (service text not null, key text not null, result text, is_done boolean not null, at bigint not null, primary key (service, key));
     create index pr_effects_at on {schema}.pr_effects (service, at);
     create table {schema}.pr_leases (service text not null, name text not null, owner text, fence bigint not null, lease_until bigint not null,
       primary key (service, name)) with (fillfactor = 50);
     create table {schema}.pr_progress (service text not null, message_id text not null, percent double precision not null, note text, at bigint not null,
       primary key (service, message_id)) with (fillfactor = 70);
     create index pr_progress_at on {schema}.pr_progress (service, at)`,
    // One claim of a service at a time: each sees what the one before it has leased. Every statement in it has a snapshot of its own, so it must follow the lock.
    // Without the setting the first plan, made while the table is empty, would read all of it for the minute until its statistics come.
    `create function {schema}.pr_claim_outbox(p_service text, p_is_event boolean, p_lock integer, p_limit integer, p_owner text, p_lease_ms bigint) returns setof {schema}.pr_outbox
       language plpgsql set enable_seqscan = off set enable_bitmapscan = off as $claim$
     declare v_now bigint;
     begin
       perform pg_advisory_xact_lock(${OUTBOX_CLAIM_CLASS}, p_lock);
       v_now := (extract(epoch from clock_timestamp()) * 1000)::bigint;
       return query
         with taken as materialized (
           select distinct t.aggregatetype, t.aggregateid from {schema}.pr_outbox t where t.service = p_service and t.is_event = p_is_event and t.free_at > 0 and t.free_at > v_now
         ), free as materialized (
           select o.sequence from {schema}.pr_outbox o where o.service = p_service and o.is_event = p_is_event and o.free_at <= v_now
             and not exists (select 1 from taken t where t.aggregatetype = o.aggregatetype and t.aggregateid = o.aggregateid)
           order by o.sequence limit p_limit
         )
         update {schema}.pr_outbox o set fence = o.fence + 1, free_at = v_now + p_lease_ms, owner = p_owner
         from free f where o.service = p_service and o.is_event = p_is_event and o.sequence = f.sequence returning o.*;
     end $claim$`,
  ],
};
