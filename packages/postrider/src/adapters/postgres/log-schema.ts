import type { MigrationPart } from "./migrations.ts";

/** SQLSTATE of our own: the lane that was to be settled has another owner. */
export const LANE_LOST_STATE = "PR001";

/**
 * The tables and functions of the log, by steps. A released step never changes: add one behind it.
 *
 * `pr_log` holds the messages of all destinations; positions come from a sequence of each destination, so that writers never wait for each other.
 * Two advisory locks of the transaction keep what a sequence cannot: *append* (shared by all who write to a destination: a position that is missing
 * while nobody holds it will never come) and *lane* (shared by all who settle in a lane, alone for who takes it: no commit under an old epoch).
 */
export const LOG_PART: MigrationPart = {
  name: "log",
  steps: [
    `create table {schema}.pr_destinations (id integer generated always as identity primary key, name text not null unique, kind text not null, lanes integer not null);
     create table {schema}.pr_log (destination integer not null, position bigint not null, lane integer not null, flags integer not null, bytes integer not null,
       stored_at bigint not null, type text not null, head text, headers text, body text, blob bytea, primary key (destination, position));
     create index pr_log_high on {schema}.pr_log (destination, position) where flags & 1 = 1;
     alter table {schema}.pr_log alter column body set storage external, alter column blob set storage external, alter column head set storage main, set (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.5);
     create table {schema}.pr_cursors (id integer generated always as identity primary key, service text not null, destination integer not null, lane integer not null,
       epoch bigint not null default 0, owner text, lease_until bigint not null default 0,
       position bigint not null, open bigint[] not null default '{}', high_position bigint not null, high_open bigint[] not null default '{}',
       unique (service, destination, lane)) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01);
     create table {schema}.pr_done (cursor integer not null, position bigint not null, primary key (cursor, position)) with (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 1000);
     create table {schema}.pr_members (id text not null primary key, service text not null, destination integer not null, backend integer not null, alive_until bigint not null) with (fillfactor = 50);
     create table {schema}.pr_senders (id text not null primary key, batch bigint not null, at bigint not null) with (fillfactor = 50);
     create table {schema}.pr_replies (sequence bigint generated always as identity primary key, address text not null, flags integer not null, head text, headers text, body text, blob bytea, expires_at bigint not null);
     create index pr_replies_address on {schema}.pr_replies (address, sequence);
     create index pr_replies_expiry on {schema}.pr_replies (expires_at)`,
    // In milliseconds since the epoch, of the database.
    `create function {schema}.pr_now() returns bigint language sql volatile as $$ select (extract(epoch from clock_timestamp()) * 1000)::bigint $$`,
    // One batch of a sender: its number is remembered with it, so that a repeated call (after an answer that got lost) writes nothing twice, and returns null.
    // Returns the positions by destination, in the order of the batch.
    `create function {schema}.pr_append(p_sender text, p_batch bigint, p_destinations integer[], p_sequences oid[], p_lanes integer[], p_flags integer[], p_types text[],
       p_starts integer[], p_heads integer[], p_headers integer[], p_bodies integer[], p_blob bytea, p_addresses text[], p_expiries bigint[]) returns bigint[] language plpgsql as $$
     declare v_now bigint := {schema}.pr_now(); v_positions bigint[];
     begin
       if p_sender is not null then
         insert into {schema}.pr_senders as s (id, batch, at) values (p_sender, p_batch, v_now)
           on conflict (id) do update set batch = excluded.batch, at = excluded.at where s.batch < excluded.batch;
         if not found then return null; end if;
       end if;
       perform pg_advisory_xact_lock_shared(hashtext('{schema}.append'), d) from (select distinct d from unnest(p_destinations) d where d <> 0 order by d) locked;
       with written as (insert into {schema}.pr_log (destination, position, lane, flags, bytes, stored_at, type, head, headers, body, blob)
         select d, nextval(s::regclass), l, f, h + hs + b, v_now, t, nullif(convert_from(substring(p_blob from a + 1 for h), 'UTF8'), ''), nullif(convert_from(substring(p_blob from a + h + 1 for hs), 'UTF8'), ''),
           case when f & 4 = 4 then convert_from(substring(p_blob from a + h + hs + 1 for b), 'UTF8') end, case when f & 4 = 0 then substring(p_blob from a + h + hs + 1 for b) end
         from unnest(p_destinations, p_sequences, p_lanes, p_flags, p_types, p_starts, p_heads, p_headers, p_bodies) as m (d, s, l, f, t, a, h, hs, b) where d <> 0
         returning destination, position)
         select coalesce(array_agg(position order by destination, position), '{}') into v_positions from written;
       if p_addresses is not null then
         insert into {schema}.pr_replies (address, expires_at, flags, head, headers, body, blob)
           select r, x, f, nullif(convert_from(substring(p_blob from a + 1 for h), 'UTF8'), ''), nullif(convert_from(substring(p_blob from a + h + 1 for hs), 'UTF8'), ''),
           case when f & 4 = 4 then convert_from(substring(p_blob from a + h + hs + 1 for b), 'UTF8') end, case when f & 4 = 0 then substring(p_blob from a + h + hs + 1 for b) end
           from unnest(p_destinations, p_flags, p_starts, p_heads, p_headers, p_bodies, p_addresses, p_expiries) as m (d, f, a, h, hs, b, r, x) where d = 0;
       end if;
       return v_positions;
     end $$`,
    // Settles with the caller's commit. The lane's lock keeps a taker out until then; in a snapshot older than the lock only a row lock would see its epoch.
    `create function {schema}.pr_settle(p_cursors integer[], p_epochs bigint[], p_positions bigint[]) returns void language plpgsql as $$
     declare v_lost integer;
     begin
       perform pg_advisory_xact_lock_shared(hashtext('{schema}.lane'), c) from (select distinct c from unnest(p_cursors) c order by c) locked;
       if current_setting('transaction_isolation') <> 'read committed' then
         perform 1 from {schema}.pr_cursors where id = any (p_cursors) order by id for share;
       end if;
       select c into v_lost from unnest(p_cursors, p_epochs) as m (c, e)
         where not exists (select 1 from {schema}.pr_cursors r where r.id = m.c and r.epoch = m.e and r.owner is not null) limit 1;
       if found then raise exception 'lane % has another owner', v_lost using errcode = '${LANE_LOST_STATE}'; end if;
       insert into {schema}.pr_done (cursor, position) select * from unnest(p_cursors, p_positions);
     end $$`,
    // Moves cursors, and forgets what they have passed. Returns the cursors that are not the caller's any more.
    `create function {schema}.pr_checkpoint(p_cursors integer[], p_epochs bigint[], p_positions bigint[], p_opens text[], p_high_positions bigint[], p_high_opens text[],
       p_done_cursors integer[], p_done bigint[], p_strict boolean) returns integer[] language plpgsql as $$
     declare v_kept integer[];
     begin
       -- In one order, as renewals do: two that lock the same rows never wait for each other in a circle.
       if cardinality(p_cursors) > 1 then perform 1 from {schema}.pr_cursors c where c.id = any (p_cursors) order by c.id for no key update; end if;
       with moved as (update {schema}.pr_cursors r set position = m.p, open = m.o::bigint[], high_position = m.hp, high_open = m.ho::bigint[]
           from (select * from unnest(p_cursors, p_epochs, p_positions, p_opens, p_high_positions, p_high_opens) as m (c, e, p, o, hp, ho)) m
           where r.id = m.c and r.epoch = m.e and r.owner is not null returning r.id)
         select coalesce(array_agg(id), '{}') into v_kept from moved;
       if p_strict and cardinality(v_kept) < cardinality(p_cursors) then raise exception 'a lane has another owner' using errcode = '${LANE_LOST_STATE}'; end if;
       if cardinality(p_done) > 0 then
         delete from {schema}.pr_done d using unnest(p_done_cursors, p_done) as m (c, p) where d.cursor = m.c and d.position = m.p and m.c = any (v_kept);
       end if;
       return array(select c from unnest(p_cursors) c where c <> all (v_kept));
     end $$`,
    // Says that a member lives, extends its leases, and tells how all lanes stand.
    `create function {schema}.pr_renew(p_member text, p_service text, p_destination integer, p_backend integer, p_lease_ms integer)
       returns table (id integer, lane integer, epoch bigint, owner text, is_free boolean, members text[], has_rivals boolean) language plpgsql as $$
     declare v_now bigint := {schema}.pr_now(); v_members text[];
     begin
       insert into {schema}.pr_members as m (id, service, destination, backend, alive_until) values (p_member, p_service, p_destination, p_backend, v_now + p_lease_ms)
         on conflict on constraint pr_members_pkey do update set alive_until = excluded.alive_until, backend = excluded.backend;
       perform 1 from {schema}.pr_cursors c where c.service = p_service and c.destination = p_destination and c.owner = p_member order by c.id for no key update;
       update {schema}.pr_cursors c set lease_until = v_now + p_lease_ms where c.service = p_service and c.destination = p_destination and c.owner = p_member;
       -- Who is late and whose connection has ended has ended itself: its lanes are free now.
       with ended as (delete from {schema}.pr_members m where m.service = p_service and m.destination = p_destination and (m.alive_until < v_now
           or (m.backend <> 0 and m.alive_until < v_now + p_lease_ms * 5 / 8 and not exists (select 1 from pg_stat_get_activity(m.backend)))) returning m.id)
         update {schema}.pr_cursors c set lease_until = 0 where c.service = p_service and c.destination = p_destination and c.owner in (select e.id from ended e);
       select array_agg(m.id order by m.id) into v_members from {schema}.pr_members m where m.service = p_service and m.destination = p_destination;
       return query select c.id, c.lane, c.epoch, c.owner, c.owner is null or c.lease_until < v_now, v_members, exists (select 1 from {schema}.pr_members m where m.backend <> p_backend)
         from {schema}.pr_cursors c where c.service = p_service and c.destination = p_destination order by c.lane;
     end $$`,
    // Takes a lane that is free. Who commits in it just now keeps the taker out for that long; who does so although his lease is long over is ended.
    `create function {schema}.pr_take(p_cursor integer, p_epoch bigint, p_member text, p_lease_ms integer)
       returns table (epoch bigint, pos bigint, open bigint[], high_pos bigint, high_open bigint[], done bigint[]) language plpgsql as $$
     declare v_now bigint := {schema}.pr_now(); v_until bigint;
     begin
       if not pg_try_advisory_xact_lock(hashtext('{schema}.lane'), p_cursor) then
         select c.lease_until into v_until from {schema}.pr_cursors c where c.id = p_cursor and c.epoch = p_epoch and c.owner is not null;
         if found and v_until < v_now - p_lease_ms then
           perform pg_terminate_backend(l.pid) from pg_locks l where l.locktype = 'advisory' and l.database = (select oid from pg_database where datname = current_database())
             and l.classid = (hashtext('{schema}.lane')::bigint & 4294967295)::oid and l.objid = p_cursor::oid and l.objsubid = 2 and l.granted and l.pid <> pg_backend_pid();
         end if;
         return;
       end if;
       update {schema}.pr_cursors c set owner = p_member, epoch = c.epoch + 1, lease_until = v_now + p_lease_ms where c.id = p_cursor and c.epoch = p_epoch
         and (c.owner is null or c.owner = p_member or c.lease_until < v_now);
       if not found then return; end if;
       return query select c.epoch, c.position, c.open, c.high_position, c.high_open,
           array(select d.position from {schema}.pr_done d where d.cursor = p_cursor order by d.position)
         from {schema}.pr_cursors c where c.id = p_cursor;
     end $$`,
    // For people.
    `create view {schema}.pr_messages as select d.name as destination, l.position, l.lane, l.type, to_timestamp(l.stored_at / 1000.0) as stored_at, l.flags & 1 = 1 as is_high,
       l.head::jsonb as envelope, l.body as text, l.blob as bytes from {schema}.pr_log l join {schema}.pr_destinations d on d.id = l.destination`,
    // A page of the log: rows in its order, until so many or so many bytes. With settings of its own: where the server takes a backlog for a few rows (statistics are
    // counted now and then only), it would read and sort all that is left of it, for each page. There is one plan that is right, so none is weighed for each call.
    `create function {schema}.pr_read_log(p_destination integer, p_after bigint, p_to bigint, p_is_high boolean, p_types text[], p_rows integer, p_bytes bigint)
       returns setof {schema}.pr_log language plpgsql stable set enable_seqscan = off set enable_bitmapscan = off set jit = off set plan_cache_mode = force_generic_plan as $read$
     begin
       if p_is_high then
         return query
           select s.destination, s.position, s.lane, s.flags, s.bytes, s.stored_at, s.type, s.head, s.headers, s.body, s.blob from (
             select r.*, sum(r.bytes) over (order by r.position rows unbounded preceding) - r.bytes as before from (
               select l.* from {schema}.pr_log l where l.destination = p_destination and l.position > p_after and l.position <= p_to and l.flags & 1 = 1
                 and (p_types is null or l.type = any (p_types)) order by l.position limit p_rows) r) s
           where s.before < p_bytes order by s.position;
       else
         return query
           select s.destination, s.position, s.lane, s.flags, s.bytes, s.stored_at, s.type, s.head, s.headers, s.body, s.blob from (
             select r.*, sum(r.bytes) over (order by r.position rows unbounded preceding) - r.bytes as before from (
               select l.* from {schema}.pr_log l where l.destination = p_destination and l.position > p_after and l.position <= p_to and (p_is_high is null or l.flags & 1 = 0)
                 and (p_types is null or l.type = any (p_types)) order by l.position limit p_rows) r) s
           where s.before < p_bytes order by s.position;
       end if;
     end $read$`,
    // The same without what messages say: to count them, or to find out how far the log is complete.
    `create function {schema}.pr_read_positions(p_destination integer, p_after bigint, p_types text[], p_rows integer)
       returns table ("position" bigint, lane integer, flags integer, stored_at bigint) language plpgsql stable set enable_seqscan = off set enable_bitmapscan = off set jit = off set plan_cache_mode = force_generic_plan as $read$
     begin
       return query
         select l.position, l.lane, l.flags, l.stored_at from {schema}.pr_log l where l.destination = p_destination and l.position > p_after and (p_types is null or l.type = any (p_types))
         order by l.position limit p_rows;
     end $read$`,
    // Deletes what all have read (up to p_unread where nobody reads) and retention does not keep; so many rows at most, by one process at a time. Returns how many went.
    `create function {schema}.pr_trim_log(p_destination integer, p_age_ms bigint, p_messages bigint, p_bytes bigint, p_unread bigint, p_rows integer) returns integer language plpgsql
       set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $trim$
     declare v_count integer;
     begin
       with limits as materialized (
         select coalesce((select min(least(c.position, c.high_position, coalesce(c.open[1] - 1, c.position), coalesce(c.high_open[1] - 1, c.high_position)))
             from {schema}.pr_cursors c where c.destination = p_destination), p_unread) as frontier,
           max(n.position) - least(p_messages, (p_bytes / greatest(avg(n.bytes), 1))::bigint) as cut
         from (select l.position, l.bytes from {schema}.pr_log l where l.destination = p_destination order by l.position desc limit 1000) n),
       goes as materialized (
         select o.position from (select l.position, l.stored_at from {schema}.pr_log l where l.destination = p_destination and l.position <= (select frontier from limits)
             order by l.position limit p_rows) o, limits
         where (select pg_try_advisory_xact_lock(hashtext('{schema}.trim'), p_destination)) and (o.position <= limits.cut or o.stored_at < {schema}.pr_now() - p_age_ms))
       delete from {schema}.pr_log l using goes where l.destination = p_destination and l.position = goes.position;
       get diagnostics v_count = row_count;
       return v_count;
     end $trim$`,
  ],
};

/** What `pr_log.flags` says. `text`: the body is in `body`; a text with NUL, which PostgreSQL cannot hold, is in `blob`, and `nulText` says what it is. */
export const FLAGS = { high: 1, mayRepeat: 2, text: 4, nulText: 8 } as const;
