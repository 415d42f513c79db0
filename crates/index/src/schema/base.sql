-- Base tables: what is stored, compactly. The views over them are the documented interface (docs/index.md).
-- {uuid} {blob} {json} {id} {no} stand for the engine's types; {compact} for its clustered form. Ids by which rows are asked for
-- are {id}, readable in both engines; a {no} is the row's own number in SQLite.

-- Keystores, numbered from 1, by their ids. A key here is keystore · 2^48 + page · 65,536 + slot.
CREATE TABLE keystore (
  keystore INTEGER NOT NULL PRIMARY KEY,
  id TEXT NOT NULL UNIQUE
);

-- One log that is followed, and how far. Numbered from 1.
CREATE TABLE log (
  log INTEGER NOT NULL PRIMARY KEY,
  -- Whose keys its payloads are under: keys of several keystores are told apart by it.
  keystore INTEGER NOT NULL,
  origin TEXT NOT NULL UNIQUE,
  system TEXT NOT NULL,
  shard TEXT NOT NULL,
  epoch TEXT NOT NULL,
  -- The first entry whose events are not here yet.
  next BIGINT NOT NULL DEFAULT 0,
  -- The first entry whose payloads were not looked at yet for `identifier` and `content`.
  identified BIGINT NOT NULL DEFAULT 0,
  -- Entries below this that the log has no more are not here any more either.
  pruned BIGINT NOT NULL DEFAULT 0,
  -- When the newest event here was logged.
  newest_ns BIGINT NOT NULL DEFAULT 0
);

-- Entries that were left out on purpose.
CREATE TABLE skip (
  log INTEGER NOT NULL,
  first BIGINT NOT NULL,
  last BIGINT NOT NULL,
  reason TEXT NOT NULL,
  skipped_ns BIGINT NOT NULL,
  PRIMARY KEY (log, first)
);

-- What many events have in common: kind, system, retention, capture, clock and the like, as canonical JSON.
CREATE TABLE common (
  common INTEGER NOT NULL PRIMARY KEY,
  kind TEXT NOT NULL,
  json {json} NOT NULL,
  -- The JSON's text.
  key TEXT NOT NULL UNIQUE
);

-- What many decisions have in common, and what they are found by.
CREATE TABLE facet (
  facet INTEGER NOT NULL PRIMARY KEY,
  -- The values as a JSON array: NULL is not equal to itself.
  key TEXT NOT NULL UNIQUE,
  system TEXT NOT NULL,
  route TEXT,
  wire TEXT,
  model TEXT,
  version TEXT,
  identity TEXT,
  environment TEXT,
  outcome TEXT,
  error TEXT,
  overridden INTEGER NOT NULL
);

CREATE TABLE decision (
  no {no} NOT NULL PRIMARY KEY,
  id {id} NOT NULL UNIQUE,
  facet INTEGER NOT NULL,
  session {id},
  started_ns BIGINT NOT NULL,
  ended_ns BIGINT,
  time_to_first_byte_ns BIGINT,
  turns BIGINT NOT NULL,
  events BIGINT NOT NULL,
  payloads BIGINT NOT NULL,
  payloads_absent BIGINT NOT NULL,
  model_calls BIGINT NOT NULL,
  model_calls_failed BIGINT NOT NULL,
  tool_calls BIGINT NOT NULL,
  tool_calls_failed BIGINT NOT NULL,
  retrievals BIGINT NOT NULL,
  transforms BIGINT NOT NULL,
  human_actions BIGINT NOT NULL,
  overrides BIGINT NOT NULL,
  labels BIGINT NOT NULL,
  tokens_input BIGINT NOT NULL,
  tokens_output BIGINT NOT NULL,
  tokens_cached BIGINT NOT NULL,
  tokens_reasoning BIGINT NOT NULL,
  -- Numbers of the events that said what stands above: the lowest opening, the highest of the others; 0 if none did.
  opened_no BIGINT NOT NULL,
  model_no BIGINT NOT NULL,
  closed_no BIGINT NOT NULL,
  last_no BIGINT NOT NULL
);
CREATE INDEX decision_by_facet ON decision (facet, started_ns, no);
CREATE INDEX decision_by_start ON decision (started_ns, no);

-- The persons a decision is about, by pseudonym.
CREATE TABLE decision_subject (
  subject {uuid} NOT NULL,
  decision BIGINT NOT NULL,
  PRIMARY KEY (subject, decision)
) {compact};
CREATE INDEX decision_subject_by_decision ON decision_subject (decision);

-- Clear names in a decision's events beyond its facet: tools, transforms, indexes, labels, prompts.
CREATE TABLE term (
  term INTEGER NOT NULL PRIMARY KEY,
  aspect TEXT NOT NULL,
  name TEXT NOT NULL,
  UNIQUE (aspect, name)
);
CREATE TABLE decision_term (
  term INTEGER NOT NULL,
  decision BIGINT NOT NULL,
  PRIMARY KEY (term, decision)
) {compact};
CREATE INDEX decision_term_by_decision ON decision_term (decision);

CREATE TABLE event (
  no {no} NOT NULL PRIMARY KEY,
  id {id} NOT NULL UNIQUE,
  decision BIGINT,
  common INTEGER NOT NULL,
  logged_ns BIGINT NOT NULL,
  started_ns BIGINT,
  ended_ns BIGINT,
  -- The other members of the event, `body` among them; without `payloads`.
  rest {json} NOT NULL
);
CREATE INDEX event_by_decision ON event (decision, no) WHERE decision IS NOT NULL;
CREATE INDEX event_of_life ON event (common, no) WHERE decision IS NULL;

-- Places of entries that continue an event.
CREATE TABLE continuation (
  no {no} NOT NULL PRIMARY KEY,
  event BIGINT NOT NULL
);
CREATE INDEX continuation_by_event ON continuation (event);

-- Places where an event stands again, after a retry: what counts is where it stood first.
CREATE TABLE again (
  no {no} NOT NULL PRIMARY KEY,
  event BIGINT NOT NULL
);
CREATE INDEX again_by_event ON again (event);

-- Events of no decision that name one: alarms, holds, readers, changes.
CREATE TABLE mention (
  decision {id} NOT NULL,
  event BIGINT NOT NULL,
  PRIMARY KEY (decision, event)
) {compact};
CREATE INDEX mention_by_event ON mention (event);

-- What many references have in common.
CREATE TABLE ref_kind (
  ref_kind INTEGER NOT NULL PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,
  role TEXT NOT NULL,
  class TEXT,
  media_type TEXT,
  encoding TEXT,
  state TEXT NOT NULL,
  reason TEXT
);
CREATE TABLE payload_ref (
  event BIGINT NOT NULL,
  place INTEGER NOT NULL,
  payload {uuid} NOT NULL,
  ref_kind INTEGER NOT NULL,
  size BIGINT,
  -- Page and slot: page · 65,536 + slot.
  key_id BIGINT,
  commitment {blob},
  sealed {blob},
  sha256 {blob},
  -- The event that first recorded the content.
  first {uuid},
  PRIMARY KEY (event, place)
) {compact};
CREATE INDEX payload_ref_by_payload ON payload_ref (payload);

-- Counts by the minute and hour in which decisions began: always what GROUP BY over `decision` would give.
CREATE TABLE rollup_minute (
  start_ns BIGINT NOT NULL,
  facet INTEGER NOT NULL,
  {counters}
  PRIMARY KEY (start_ns, facet)
) {compact};
CREATE TABLE rollup_hour (
  start_ns BIGINT NOT NULL,
  facet INTEGER NOT NULL,
  {counters}
  PRIMARY KEY (start_ns, facet)
) {compact};
-- Latencies of ended decisions: how many fell into each bucket (16 to the octave).
CREATE TABLE latency_minute (
  start_ns BIGINT NOT NULL,
  facet INTEGER NOT NULL,
  bucket INTEGER NOT NULL,
  decisions BIGINT NOT NULL,
  PRIMARY KEY (start_ns, facet, bucket)
) {compact};
CREATE TABLE latency_hour (
  start_ns BIGINT NOT NULL,
  facet INTEGER NOT NULL,
  bucket INTEGER NOT NULL,
  decisions BIGINT NOT NULL,
  PRIMARY KEY (start_ns, facet, bucket)
) {compact};

-- Ids that others have for a decision, by keyed digest: derived from content, deleted by erasures and purges.
CREATE TABLE identifier (
  -- Where the payload that says them stands.
  event BIGINT NOT NULL,
  digest {blob} NOT NULL,
  decision BIGINT NOT NULL,
  -- The term of its retention class.
  class INTEGER NOT NULL,
  key_id BIGINT NOT NULL,
  PRIMARY KEY (event, digest)
) {compact};
CREATE INDEX identifier_by_digest ON identifier (digest, decision);
CREATE INDEX identifier_by_decision ON identifier (decision);
CREATE INDEX identifier_by_key ON identifier (key_id);

-- Content in clear, of systems whose policy says that it may live here; deleted by erasures and purges.
CREATE TABLE content (
  payload {uuid} NOT NULL PRIMARY KEY,
  decision BIGINT NOT NULL,
  event BIGINT NOT NULL,
  class INTEGER NOT NULL,
  key_id BIGINT NOT NULL,
  content {json} NOT NULL
) {compact};
CREATE INDEX content_by_event ON content (event);
CREATE INDEX content_by_decision ON content (decision);
CREATE INDEX content_by_key ON content (key_id);

-- What erasures destroyed: nothing of it comes into `identifier` and `content` again, in whatever order logs are read.
CREATE TABLE erased_subject (
  subject {uuid} NOT NULL,
  -- The event that announced it.
  intent {uuid} NOT NULL,
  PRIMARY KEY (subject, intent)
) {compact};
CREATE TABLE erased_key (
  key_id {no} NOT NULL PRIMARY KEY
);
-- Keys that are withheld from an erasure of persons.
CREATE TABLE withheld_key (
  intent {uuid} NOT NULL,
  key_id BIGINT NOT NULL,
  PRIMARY KEY (intent, key_id)
) {compact};

-- Payloads that were purged: of this class, of entries whose numbers lie between the two. Nothing of them is derived again.
CREATE TABLE purged (
  class INTEGER NOT NULL,
  first BIGINT NOT NULL,
  last BIGINT NOT NULL,
  PRIMARY KEY (class, first)
) {compact};
-- Purges of entries that are not carried out here yet: the event, and the last entry.
CREATE TABLE purge_due (
  event {no} NOT NULL PRIMARY KEY,
  last BIGINT NOT NULL
);
