package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// applicationID marks the file as ours ("IXPQ"; https://www.sqlite.org/pragma.html#pragma_application_id).
const applicationID = 0x49585051

// migrations lead from an empty file to the present schema, one version each.
// One that has been released never changes.
var migrations = []string{`
CREATE TABLE series (
	id     INTEGER PRIMARY KEY,
	source TEXT    NOT NULL,
	target TEXT    NOT NULL,
	test   TEXT    NOT NULL,
	family INTEGER NOT NULL,
	dscp   INTEGER NOT NULL,
	UNIQUE (source, target, test, family, dscp)
) STRICT;

-- The rtt_ columns are NULL where no round-trip time was measured.
CREATE TABLE results (
	series        INTEGER NOT NULL REFERENCES series (id),
	start_ns      INTEGER NOT NULL,
	stored_at_ns  INTEGER NOT NULL,
	length_ns     INTEGER NOT NULL,
	kind          TEXT    NOT NULL,
	sent          INTEGER NOT NULL,
	received      INTEGER NOT NULL,
	late          INTEGER NOT NULL,
	lost_forward  INTEGER NOT NULL,
	lost_backward INTEGER NOT NULL,
	lost_unplaced INTEGER NOT NULL,
	duplicates    INTEGER NOT NULL,
	reordered     INTEGER NOT NULL,
	refused       INTEGER NOT NULL,
	first_rtt_ns  INTEGER,
	rtt_n         INTEGER,
	rtt_min_us    REAL,
	rtt_max_us    REAL,
	rtt_mean_us   REAL,
	rtt_m2_us2    REAL,
	rtt_sketch    BLOB,
	PRIMARY KEY (series, start_ns)
) STRICT, WITHOUT ROWID;

-- peers is a JSON array of names, health a JSON object.
CREATE TABLE reports (
	probe        TEXT    NOT NULL,
	start_ns     INTEGER NOT NULL,
	stored_at_ns INTEGER NOT NULL,
	inventory    TEXT    NOT NULL,
	peers        TEXT    NOT NULL,
	health       TEXT    NOT NULL,
	PRIMARY KEY (probe, start_ns)
) STRICT, WITHOUT ROWID;
`, `
-- Results in the first version's form; the columns in milliseconds are NULL
-- where all was lost.
CREATE TABLE pings (
	source    TEXT    NOT NULL,
	target    TEXT    NOT NULL,
	family    INTEGER NOT NULL,
	at_us     INTEGER NOT NULL,
	loss      REAL    NOT NULL,
	min_ms    REAL,
	max_ms    REAL,
	avg_ms    REAL,
	jitter_ms REAL,
	PRIMARY KEY (source, target, family, at_us)
) STRICT, WITHOUT ROWID;
`, `
-- detail is packed (ippm.Detail.Encode), and NULL where the test does not see it.
ALTER TABLE results ADD COLUMN unserved INTEGER NOT NULL DEFAULT 0;
ALTER TABLE results ADD COLUMN detail BLOB;

-- The flows of results that have some, packed (ippm.EncodeFlows). They are not
-- kept as long, and would stand in the way of who reads many results.
CREATE TABLE flows (
	series   INTEGER NOT NULL REFERENCES series (id),
	start_ns INTEGER NOT NULL,
	flows    BLOB    NOT NULL,
	PRIMARY KEY (series, start_ns)
) STRICT, WITHOUT ROWID;

-- What the series' target heard, packed (ippm.EncodeHeardFlows): NULL for no flow.
CREATE TABLE heard (
	series       INTEGER NOT NULL REFERENCES series (id),
	start_ns     INTEGER NOT NULL,
	stored_at_ns INTEGER NOT NULL,
	length_ns    INTEGER NOT NULL,
	flows        BLOB,
	PRIMARY KEY (series, start_ns)
) STRICT, WITHOUT ROWID;
`, `
-- run is empty, and views (a JSON array of numbers, as long as peers) NULL, where
-- the probe did not say it.
ALTER TABLE reports ADD COLUMN run TEXT NOT NULL DEFAULT '';
ALTER TABLE reports ADD COLUMN views TEXT;
`}

// prepareFile makes the file where there is none and brings it to the newest
// schema, over a connection of its own.
func prepareFile(ctx context.Context, path string, busy time.Duration) error {
	db, err := connect(path, "rwc", busy, 1)
	if err != nil {
		return err
	}
	if err := migrate(ctx, db, migrations); err != nil {
		return explainOpen(path, errors.Join(err, db.Close()))
	}
	return db.Close()
}

// migrate runs those of the steps that the file does not have yet.
func migrate(ctx context.Context, db *sql.DB, steps []string) error {
	version, err := checkVersion(ctx, db, len(steps))
	if err != nil {
		return err
	}
	// In this mode, which the file remembers, readers and the writer do not wait for
	// each other (https://www.sqlite.org/wal.html).
	if _, err := db.ExecContext(ctx, "PRAGMA journal_mode = WAL"); err != nil {
		return err
	}
	for version < len(steps) {
		if version, err = migrateOnce(ctx, db, steps); err != nil {
			return fmt.Errorf("bring its schema from version %d to %d: %w", version, version+1, err)
		}
	}
	return nil
}

// migrateOnce runs one step and gives the version after it. It looks at the
// version again under the lock: two processes may start on one file.
func migrateOnce(ctx context.Context, db *sql.DB, steps []string) (version int, err error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer tx.Rollback()
	if version, err = checkVersion(ctx, tx, len(steps)); err != nil || version == len(steps) {
		return version, err
	}
	mark := fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, version+1)
	if _, err := tx.ExecContext(ctx, steps[version]+mark); err != nil {
		return version, err
	}
	return version + 1, tx.Commit()
}

type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// checkVersion gives the schema version of a file, 0 for an empty one, and
// refuses a file that is newer than this program or not ours.
func checkVersion(ctx context.Context, db querier, newest int) (int, error) {
	var id, version, tables int
	row := db.QueryRowContext(ctx, `SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)
		FROM pragma_application_id, pragma_user_version`)
	switch err := row.Scan(&id, &version, &tables); {
	case err != nil:
		return 0, err
	case id != applicationID && (id != 0 || version != 0 || tables != 0):
		return 0, errors.New("the file belongs to another program: choose another file")
	case version > newest:
		return 0, fmt.Errorf("its schema has version %d, but this program knows only up to %d: "+
			"run the newer program that wrote it, or choose another file", version, newest)
	}
	return version, nil
}
