// Lengths in bytes of what an index holds: 3072 is InnoDB's limit for all columns of one. An envelope's id has at most 512 UTF-16 units, a contract's name 255.
const SERVICE = "service varbinary(200) not null";
const HANDLER = "varbinary(765)";
const ID = "varbinary(1536)";
const OWNER = "varbinary(512)";
const LIST = "varchar(16) character set ascii collate ascii_bin";

const MESSAGE = "head longblob, headers longblob, body longblob not null, is_text tinyint not null";

/**
 * The tables of the stores, by steps. A released step never changes: add one behind it. Statements are separated by semicolons, and each does nothing where it was done before.
 *
 * Texts are kept as bytes (see `columns.ts`). Names begin with `pr_`, because users' own tables live in the same database.
 */
export const STORE_STEPS: readonly string[] = [
  `create table if not exists pr_locks (${SERVICE}, kind tinyint not null, bucket smallint not null, primary key (service, kind, bucket)) engine = InnoDB;
   create table if not exists pr_inbox (${SERVICE}, handler ${HANDLER} not null, message_id ${ID} not null, body_hash varbinary(128) not null, at bigint not null,
     seen int not null default 1, primary key (service, handler, message_id), key pr_inbox_at (service, at)) engine = InnoDB;
   create table if not exists pr_outbox (sequence bigint not null auto_increment primary key, ${SERVICE}, id ${ID} not null, aggregatetype varbinary(1024) not null,
     aggregateid blob not null, type ${HANDLER} not null, payload longblob not null, is_text tinyint not null, key_digest binary(16) not null, may_repeat tinyint not null,
     head longblob not null, headers longblob, is_event tinyint not null, attempts int not null default 0, fence int not null default 0, free_at bigint not null default 0, owner ${OWNER},
     key pr_outbox_order (service, is_event, sequence), key pr_outbox_taken (service, is_event, free_at)) engine = InnoDB;
   create table if not exists pr_schedule (${SERVICE}, id ${ID} not null, due_at bigint not null, cron blob, timezone blob, destination blob not null, may_repeat tinyint not null,
     ${MESSAGE}, primary key (service, id), key pr_schedule_due (service, due_at)) engine = InnoDB;
   create table if not exists pr_held (sequence bigint not null auto_increment primary key, ${SERVICE}, id ${ID} not null, purpose ${LIST} not null, due_at bigint,
     destination varbinary(1024) not null, lane int not null, message_key blob, key_digest binary(16), is_ordered tinyint not null, ${MESSAGE}, failures int not null,
     first_failed_at bigint, dead_letter_id blob, redrives int not null, fence int not null default 0, claimed_until bigint not null default 0,
     unique key pr_held_id (service, id), key pr_held_due (service, destination, due_at), key pr_held_next (service, due_at), key pr_held_key (service, destination, key_digest)) engine = InnoDB;
   create table if not exists pr_dead_letters (${SERVICE}, id ${ID} not null, list ${LIST} not null, contract ${HANDLER} not null, message_id ${ID} not null,
     destination varbinary(1024) not null, lane int not null, message_key blob, key_digest binary(16), is_ordered tinyint not null, ${MESSAGE}, code ${OWNER} not null,
     reason longblob not null, stack longblob, fingerprint ${OWNER} not null, attempts int not null, at bigint not null, redrives int not null, primary key (service, id),
     key pr_dead_letters_key (service, destination, key_digest), key pr_dead_letters_message (service, message_id), key pr_dead_letters_at (service, list, at),
     key pr_dead_letters_cause (service, fingerprint)) engine = InnoDB;
   create table if not exists pr_taken (${SERVICE}, destination varbinary(1024) not null, lane int not null, position bigint not null, primary key (service, destination, lane)) engine = InnoDB;
   create table if not exists pr_starts (${SERVICE}, message_id ${ID} not null, count int not null, at bigint not null, primary key (service, message_id)) engine = InnoDB;
   create table if not exists pr_effects (${SERVICE}, effect ${ID} not null, result longblob, is_done tinyint not null, at bigint not null, seen int not null default 1,
     primary key (service, effect), key pr_effects_at (service, at)) engine = InnoDB;
   create table if not exists pr_leases (${SERVICE}, name ${ID} not null, owner ${OWNER}, fence bigint not null, lease_until bigint not null, primary key (service, name)) engine = InnoDB;
   create table if not exists pr_progress (${SERVICE}, message_id ${ID} not null, percent double not null, note longblob, at bigint not null, primary key (service, message_id),
     key pr_progress_at (service, at)) engine = InnoDB`,
];
