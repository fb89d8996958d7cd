-- The schema as its version 1 made it, with a record in it. Never changed: stores of that time look like this for ever.
CREATE SCHEMA {S};
CREATE TABLE {S}.meta (name text PRIMARY KEY, value text NOT NULL);
INSERT INTO {S}.meta VALUES ('schema_version', '1'), ('store', gen_random_uuid()::text);

-- The fill factor leaves room for updates that touch no index: those whose due time stays.
CREATE TABLE {S}.record (
  partition bytea NOT NULL,
  sort bytea NOT NULL,
  hash bigint NOT NULL,
  due bigint,
  expires bigint,
  version bytea NOT NULL,
  value bytea NOT NULL,
  PRIMARY KEY (partition, sort)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05);
CREATE INDEX record_due ON {S}.record (due, hash) WHERE due IS NOT NULL;
CREATE INDEX record_expires ON {S}.record (expires) WHERE expires IS NOT NULL;
CREATE SEQUENCE {S}.version;

CREATE VIEW {S}.readable AS
  SELECT encode(partition, 'escape') AS partition, encode(sort, 'escape') AS sort,
         CASE WHEN due < -4000000000000000000 THEN to_timestamp((due + 9223372036854775808) / 1e9) END AS due,
         CASE WHEN expires < -4000000000000000000 THEN to_timestamp((expires + 9223372036854775808) / 1e9) END AS expires,
         octet_length(value) AS value_bytes, encode(version, 'hex') AS version
  FROM {S}.record;

-- One operation; false = its condition does not hold. a_hold: keep hold of the key although nothing is written to it.
CREATE FUNCTION {S}.apply_op(a_how int, a_partition bytea, a_sort bytea, a_value bytea, a_expected bytea, a_due bigint,
                             a_expires bigint, a_hash bigint, a_version bytea, a_hold boolean)
RETURNS boolean LANGUAGE plpgsql VOLATILE AS $body$
BEGIN
  CASE a_how
  WHEN 18 THEN  -- put, if of this version
    UPDATE {S}.record r SET value = a_value, version = a_version, due = a_due, expires = a_expires
      WHERE r.partition = a_partition AND r.sort = a_sort AND r.version = a_expected;
    RETURN FOUND;
  WHEN 17 THEN  -- put, if absent
    INSERT INTO {S}.record VALUES (a_partition, a_sort, a_hash, a_due, a_expires, a_version, a_value)
      ON CONFLICT DO NOTHING;
    RETURN FOUND;
  WHEN 16 THEN  -- put
    INSERT INTO {S}.record AS r VALUES (a_partition, a_sort, a_hash, a_due, a_expires, a_version, a_value)
      ON CONFLICT ON CONSTRAINT record_pkey DO UPDATE
      SET value = a_value, version = a_version, due = a_due, expires = a_expires;
    RETURN true;
  WHEN 34 THEN  -- delete, if of this version
    DELETE FROM {S}.record r WHERE r.partition = a_partition AND r.sort = a_sort AND r.version = a_expected;
    RETURN FOUND;
  WHEN 32 THEN  -- delete
    LOOP
      DELETE FROM {S}.record r WHERE r.partition = a_partition AND r.sort = a_sort;
      EXIT WHEN FOUND OR NOT a_hold;
      EXIT WHEN {S}.hold_absent(a_partition, a_sort, a_hash);
    END LOOP;
    RETURN true;
  WHEN 50 THEN  -- check of this version
    IF a_hold THEN
      PERFORM 1 FROM {S}.record r
        WHERE r.partition = a_partition AND r.sort = a_sort AND r.version = a_expected FOR SHARE;
    ELSE
      PERFORM 1 FROM {S}.record r WHERE r.partition = a_partition AND r.sort = a_sort AND r.version = a_expected;
    END IF;
    RETURN FOUND;
  WHEN 33, 49 THEN  -- check of absence; to delete what is absent is the same
    IF a_hold THEN
      RETURN {S}.hold_absent(a_partition, a_sort, a_hash);
    END IF;
    PERFORM 1 FROM {S}.record r WHERE r.partition = a_partition AND r.sort = a_sort;
    RETURN NOT FOUND;
  END CASE;
END $body$;

-- Keeps an absent key absent until the transaction ends; false = it is there.
CREATE FUNCTION {S}.hold_absent(a_partition bytea, a_sort bytea, a_hash bigint)
RETURNS boolean LANGUAGE plpgsql VOLATILE AS $body$
BEGIN
  INSERT INTO {S}.record VALUES (a_partition, a_sort, a_hash, NULL, NULL, '', '') ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  DELETE FROM {S}.record r WHERE r.partition = a_partition AND r.sort = a_sort;
  RETURN true;
END $body$;

-- Commits that do not depend on one another, each whole or not at all; one row for each. The operations of all follow one
-- another, a_sizes[c] of commit c. o_failed counts from 0 within its commit.
CREATE FUNCTION {S}.commit(a_nonces bytea[], a_modes int[], a_sizes int[], a_how int[], a_partitions bytea[],
                           a_sorts bytea[], a_values bytea[], a_expected bytea[], a_dues bigint[], a_expires bigint[],
                           a_hashes bigint[])
RETURNS TABLE (o_outcome int, o_failed int, o_version bytea, o_found_version bytea, o_found_value bytea,
               o_found_due bigint, o_found_expires bigint)
LANGUAGE plpgsql VOLATILE SET enable_seqscan = off AS $body$
DECLARE
  first_op int := 1;
  last_op int;
  bad int;
  there boolean;
BEGIN
  FOR c IN 1 .. cardinality(a_sizes) LOOP
    last_op := first_op + a_sizes[c] - 1;
    o_outcome := 0;
    o_failed := 0;
    o_found_version := NULL;
    o_found_value := NULL;
    o_found_due := NULL;
    o_found_expires := NULL;
    WHILE a_modes[c] = 0 LOOP
      o_version := int8send(nextval('{S}.version')) || a_nonces[c];
      bad := 0;
      IF first_op = last_op THEN
        IF NOT {S}.apply_op(a_how[first_op], a_partitions[first_op], a_sorts[first_op], a_values[first_op],
                            a_expected[first_op], a_dues[first_op], a_expires[first_op], a_hashes[first_op], o_version,
                            false) THEN
          bad := first_op;
        END IF;
      ELSE
        BEGIN  -- undone as a whole where a condition fails
          FOR i IN first_op .. last_op LOOP
            IF NOT {S}.apply_op(a_how[i], a_partitions[i], a_sorts[i], a_values[i], a_expected[i], a_dues[i],
                                a_expires[i], a_hashes[i], o_version, true) THEN
              bad := i;
              RAISE EXCEPTION USING ERRCODE = 'TL001';
            END IF;
          END LOOP;
        EXCEPTION WHEN SQLSTATE 'TL001' THEN
          NULL;
        END;
      END IF;
      EXIT WHEN bad = 0;
      SELECT r.version, r.value, r.due, r.expires
        INTO o_found_version, o_found_value, o_found_due, o_found_expires
        FROM {S}.record r WHERE r.partition = a_partitions[bad] AND r.sort = a_sorts[bad];
      there := FOUND;
      CONTINUE WHEN NOT there AND a_how[bad] & 15 = 1;  -- was to be absent, and meanwhile is
      o_outcome := 1;
      o_failed := bad - first_op;
      EXIT;
    END LOOP;
    IF o_outcome = 1 OR a_modes[c] = 1 THEN
      IF a_modes[c] = 1 THEN
        o_outcome := 3;
      END IF;
      FOR i IN first_op .. last_op LOOP
        CONTINUE WHEN a_how[i] > 18;
        SELECT r.version INTO o_version FROM {S}.record r
          WHERE r.partition = a_partitions[i] AND r.sort = a_sorts[i] AND substr(r.version, 9) = a_nonces[c];
        IF FOUND THEN
          o_outcome := 2;
          EXIT;
        END IF;
      END LOOP;
    END IF;
    RETURN NEXT;
    first_op := last_op + 1;
  END LOOP;
END $body$;

-- All keys as of one moment. o_number counts from 0.
CREATE FUNCTION {S}.get(a_partitions bytea[], a_sorts bytea[])
RETURNS TABLE (o_number int, o_value bytea, o_version bytea, o_due bigint, o_expires bigint)
LANGUAGE plpgsql STABLE SET enable_seqscan = off AS $body$
BEGIN
  FOR i IN 1 .. cardinality(a_sorts) LOOP
    RETURN QUERY SELECT i - 1, r.value, r.version, r.due, r.expires FROM {S}.record r
      WHERE r.partition = a_partitions[i] AND r.sort = a_sorts[i];
  END LOOP;
END $body$;

-- The records from a_from on and before a_to (NULL = the end), at most a_limit, and no more once a_bytes are full.
CREATE FUNCTION {S}.scan(a_partition bytea, a_from bytea, a_to bytea, a_limit bigint, a_bytes bigint)
RETURNS TABLE (o_sort bytea, o_value bytea, o_version bytea, o_due bigint, o_expires bigint)
LANGUAGE plpgsql STABLE SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $body$
BEGIN
  IF a_to IS NULL THEN
    RETURN QUERY SELECT t.sort, t.value, t.version, t.due, t.expires FROM (
        SELECT r.*, sum(octet_length(r.value)) OVER (ORDER BY r.sort ROWS UNBOUNDED PRECEDING) - octet_length(r.value) AS before
        FROM {S}.record r WHERE r.partition = a_partition AND r.sort >= a_from
        ORDER BY r.sort LIMIT a_limit) t
      WHERE t.before < a_bytes;
  ELSE
    RETURN QUERY SELECT t.sort, t.value, t.version, t.due, t.expires FROM (
        SELECT r.*, sum(octet_length(r.value)) OVER (ORDER BY r.sort ROWS UNBOUNDED PRECEDING) - octet_length(r.value) AS before
        FROM {S}.record r WHERE r.partition = a_partition AND r.sort >= a_from AND r.sort < a_to
        ORDER BY r.sort LIMIT a_limit) t
      WHERE t.before < a_bytes;
  END IF;
END $body$;

-- What is due after (a_after_due, a_after_hash), in the order of (due, hash), with a hash from a_low to a_high.
CREATE FUNCTION {S}.scan_due(a_until bigint, a_low bigint, a_high bigint, a_after_due bigint, a_after_hash bigint,
                             a_limit bigint)
RETURNS TABLE (o_partition bytea, o_sort bytea, o_due bigint, o_hash bigint)
LANGUAGE plpgsql STABLE SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $body$
BEGIN
  RETURN QUERY SELECT r.partition, r.sort, r.due, r.hash FROM {S}.record r
    WHERE r.due <= a_until AND r.hash BETWEEN a_low AND a_high AND (r.due, r.hash) > (a_after_due, a_after_hash)
    ORDER BY r.due, r.hash LIMIT a_limit;
END $body$;

-- Tells the listeners. Loses a notice where the server dies, so it does not wait for the disk.
CREATE FUNCTION {S}.tell(a_channel text, a_payloads text[])
RETURNS void LANGUAGE plpgsql VOLATILE AS $body$
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  FOR i IN 1 .. cardinality(a_payloads) LOOP
    PERFORM pg_notify(a_channel, a_payloads[i]);
  END LOOP;
END $body$;

-- Deletes some of the records that expired before a_before; how many.
CREATE FUNCTION {S}.drop_expired(a_before bigint, a_limit bigint)
RETURNS bigint LANGUAGE plpgsql VOLATILE SET enable_seqscan = off AS $body$
DECLARE
  dropped bigint;
BEGIN
  DELETE FROM {S}.record WHERE ctid = ANY (ARRAY(
    SELECT r.ctid FROM {S}.record r WHERE r.expires < a_before ORDER BY r.expires LIMIT a_limit FOR UPDATE SKIP LOCKED));
  GET DIAGNOSTICS dropped = ROW_COUNT;
  RETURN dropped;
END $body$;
INSERT INTO {S}.record VALUES ('session', 's', 2911347261700473628, -7523372036854775808, NULL, int8send(nextval('{S}.version')) || '\xabababababababababababababababababababababababab'::bytea, 'kept');
