const PLAIN_VERB = /^\s*(insert|update|delete|merge|select|with|values)\b/i;
const NOT_PLAIN = /--|\/\*|\bselect\b[^]*\binto\b/i; // a comment may stand between a name and its call; `select … into` makes a table
const CALL = /([\w$"\u0080-\uffff.]+)\s*\(/g;
const INTO = /\binto\s*$/i; // a table with its columns

// What stands before a parenthesis and calls nothing of the user's; functions of PostgreSQL that leave nothing behind. Others may set something until the transaction's end.
const HARMLESS: ReadonlySet<string> = new Set(
  `values in any all some and or not on using over filter exists conflict set returning when then else case where having by as lateral materialized between like ilike is with recursive cast
   select from distinct limit offset partition order group union except intersect within cube rollup sets interval array row unique primary default overlaps
   join left right full inner outer count sum avg min max coalesce nullif greatest least abs ceil ceiling floor round trunc mod power sqrt sign random now clock_timestamp statement_timestamp current_timestamp
   localtimestamp current_time localtime timestamp timestamptz date time extract date_part date_trunc age to_timestamp to_char to_date to_number make_interval make_date lower upper length
   char_length octet_length substring substr trim btrim ltrim rtrim replace concat concat_ws left right lpad rpad position strpos split_part format md5 sha256 encode decode translate repeat
   reverse starts_with regexp_replace regexp_match regexp_matches gen_random_uuid unnest array_agg array_append array_remove array_length cardinality array_to_string string_to_array
   string_agg generate_series nextval json_build_object json_build_array json_agg json_object_agg jsonb_build_object jsonb_build_array jsonb_agg jsonb_object_agg jsonb_set jsonb_insert to_json to_jsonb
   row_to_json jsonb_array_elements jsonb_array_elements_text jsonb_each jsonb_each_text jsonb_array_length jsonb_exists jsonb_exists_any jsonb_exists_all jsonb_strip_nulls json_array_elements
   row_number rank dense_rank lag lead first_value last_value nth_value ntile bool_and bool_or every percentile_cont percentile_disc
   numeric decimal varchar char character bit float`.split(/\s+/),
);

const MAX_KEPT = 500;
const known = new Map<string, boolean>();

/**
 * Whether a statement of a user's surely leaves nothing behind for the next one in its transaction but rows: no setting, no role, no lock of its own, no temporary table.
 *
 * Judged by the text, and on the side of no: a call of a function that is not known here is not plain. What triggers and views call is not seen.
 */
export function isPlainStatement(sql: string): boolean {
  const found = known.get(sql);
  if (found !== undefined) return found;
  const isPlain = judge(sql);
  if (known.size >= MAX_KEPT) known.clear();
  known.set(sql, isPlain);
  return isPlain;
}

function judge(sql: string): boolean {
  if (!PLAIN_VERB.test(sql) || NOT_PLAIN.test(sql)) return false;
  for (const { 1: name, index } of sql.matchAll(CALL)) {
    if (!HARMLESS.has(name!.toLowerCase()) && !INTO.test(sql.slice(0, index))) return false;
  }
  return true;
}
