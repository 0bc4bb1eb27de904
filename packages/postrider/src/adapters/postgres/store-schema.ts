import type { MigrationPart } from "./migrations.ts";

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
       attempts integer not null default 0, free_at bigint not null default 0,
       primary key (service, is_event, sequence)) with (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000, fillfactor = 90);
     create index pr_outbox_later on {schema}.pr_outbox (service, is_event, free_at) where free_at > 0;
     create table {schema}.pr_outbox_leaders (service text not null primary key, owner text not null, term bigint not null, backend integer not null, lease_until bigint not null,
       renewed_at timestamptz not null, command_floor bigint not null, event_floor bigint not null, lsn pg_lsn) with (fillfactor = 50);

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
    // Who leads an outbox: whoever did, or else the first that asks once its lease is over, or its connections are gone while the server went on.
    // What removes rows does not wait for the disk: a row that is there again after a crash of the server is sent again, and all behind it too.
    // Rows that stand side by side are removed by one walk over them, which costs half of looking each up.
    // Those that read and remove rows have settings of their own: plans that are made while the table is empty would read all of it for the minute until its statistics come.
    `create function {schema}.pr_lead_outbox(p_service text, p_owner text, p_backend integer, p_lease_ms bigint, p_command_floor bigint, p_event_floor bigint, p_lsn pg_lsn)
       returns setof {schema}.pr_outbox_leaders language plpgsql as $lead$
     declare v_now bigint := (extract(epoch from clock_timestamp()) * 1000)::bigint; v_last {schema}.pr_outbox_leaders;
     begin
       select * into v_last from {schema}.pr_outbox_leaders l where l.service = p_service;
       if v_last.owner <> p_owner and v_last.lease_until > v_now
         and (v_last.backend = 0 or v_last.renewed_at < pg_postmaster_start_time() or exists (select 1 from pg_stat_get_activity(v_last.backend))) then
         return;
       end if;
       if v_last.owner = p_owner then
         perform set_config('synchronous_commit', 'off', true);
       end if;
       return query insert into {schema}.pr_outbox_leaders as l values (p_service, p_owner, 1, p_backend, v_now + p_lease_ms, clock_timestamp(), 0, 0, null)
         on conflict on constraint pr_outbox_leaders_pkey do update set owner = excluded.owner, term = l.term + case when l.owner = excluded.owner then 0 else 1 end,
           backend = excluded.backend, lease_until = excluded.lease_until, renewed_at = excluded.renewed_at,
           command_floor = greatest(l.command_floor, p_command_floor), event_floor = greatest(l.event_floor, p_event_floor), lsn = coalesce(p_lsn, l.lsn)
         where l.owner in (p_owner, v_last.owner) and l.term = coalesce(v_last.term, l.term)
         returning l.*;
     end $lead$;

     create function {schema}.pr_read_outbox(p_service text, p_is_event boolean, p_floor bigint, p_limit integer, p_sequences bigint[])
       returns setof {schema}.pr_outbox language plpgsql set enable_seqscan = off set enable_bitmapscan = off set jit = off as $read$
     declare v_now bigint := (extract(epoch from clock_timestamp()) * 1000)::bigint;
     begin
       return query
         with later as materialized (
           select distinct t.aggregatetype, t.aggregateid from {schema}.pr_outbox t where t.service = p_service and t.is_event = p_is_event and t.free_at > 0 and t.free_at > v_now
         )
         select o.* from {schema}.pr_outbox o where o.service = p_service and o.is_event = p_is_event and o.sequence > p_floor and o.free_at <= v_now
           and o.sequence not in (select unnest(p_sequences))
           and (o.aggregatetype, o.aggregateid) not in (select l.aggregatetype, l.aggregateid from later l)
         order by o.sequence limit p_limit;
     end $read$;

     create function {schema}.pr_unsent_outbox(p_service text, p_is_event boolean, p_floor bigint, p_limit integer)
       returns table (sequence bigint, is_later boolean) language plpgsql set enable_seqscan = off set enable_bitmapscan = off set jit = off as $unsent$
     begin
       return query
         select o.sequence, o.free_at > 0 from {schema}.pr_outbox o where o.service = p_service and o.is_event = p_is_event and o.sequence > p_floor
         order by o.sequence limit p_limit;
     end $unsent$;

     create function {schema}.pr_remove_outbox(p_service text, p_is_event boolean, p_sequences bigint[]) returns bigint[]
       language plpgsql set enable_seqscan = off set enable_bitmapscan = off set jit = off as $remove$
     declare v_removed bigint[]; v_first bigint; v_last bigint;
     begin
       perform set_config('synchronous_commit', 'off', true);
       select min(s), max(s) into v_first, v_last from unnest(p_sequences) s;
       if v_last - v_first < 16 * cardinality(p_sequences) then
         with gone as (delete from {schema}.pr_outbox o where o.service = p_service and o.is_event = p_is_event and o.sequence between v_first and v_last
             and o.sequence + 0 in (select unnest(p_sequences)) returning o.sequence)
           select array_agg(sequence) into v_removed from gone;
       else
         with gone as (delete from {schema}.pr_outbox o where o.service = p_service and o.is_event = p_is_event and o.sequence = any (p_sequences) returning o.sequence)
           select array_agg(sequence) into v_removed from gone;
       end if;
       return case when cardinality(v_removed) = cardinality(p_sequences) then null else coalesce(v_removed, array[]::bigint[]) end;
     end $remove$`,
  ],
};
