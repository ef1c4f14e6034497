package sqlite

import (
	"context"
	"database/sql"
)

// statements are all that are run again and again, prepared once.
type statements struct {
	findSeries, addSeries, putResult, putReport *sql.Stmt
	pruneResults, pruneReports                  *sql.Stmt
	ready, newSeries, latest, page, reports     *sql.Stmt
	probes                                      *sql.Stmt
}

func (st *statements) prepare(ctx context.Context, write, read *sql.DB) error {
	for _, p := range []struct {
		into **sql.Stmt
		db   *sql.DB
		text string
	}{
		{&st.findSeries, write, findSeries},
		{&st.addSeries, write, addSeries},
		{&st.putResult, write, putResult},
		{&st.putReport, write, putReport},
		{&st.pruneResults, write, pruneResults},
		{&st.pruneReports, write, pruneReports},
		{&st.ready, read, ready},
		{&st.newSeries, read, newSeries},
		{&st.latest, read, latest},
		{&st.page, read, page},
		{&st.reports, read, reports},
		{&st.probes, read, probes},
	} {
		var err error
		if *p.into, err = p.db.PrepareContext(ctx, p.text); err != nil {
			return err
		}
	}
	return nil
}

const (
	findSeries = `SELECT id FROM series WHERE source = ? AND target = ? AND test = ? AND family = ? AND dscp = ?`
	addSeries  = `INSERT INTO series (source, target, test, family, dscp) VALUES (?, ?, ?, ?, ?)`

	// REPLACE writes the whole row anew: no field of an older writing remains.
	putResult = `INSERT OR REPLACE INTO results (series, ` + resultColumns + `)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	putReport = `INSERT OR REPLACE INTO reports (probe, start_ns, stored_at_ns, inventory, peers, health)
		VALUES (?, ?, ?, ?, ?, ?)`

	// Both take a series or probe, a time and how many rows at most.
	pruneResults = `DELETE FROM results WHERE series = ?1 AND start_ns IN
		(SELECT start_ns FROM results WHERE series = ?1 AND start_ns < ?2 ORDER BY start_ns LIMIT ?3)`
	pruneReports = `DELETE FROM reports WHERE probe = ?1 AND start_ns IN
		(SELECT start_ns FROM reports WHERE probe = ?1
			AND start_ns < min(?2, (SELECT max(start_ns) FROM reports WHERE probe = ?1)) ORDER BY start_ns LIMIT ?3)`

	ready     = `SELECT count(*) FROM (SELECT 1 FROM series LIMIT 1)`
	newSeries = `SELECT id, source, target, test, family, dscp FROM series WHERE id > ? ORDER BY id`

	// One search by primary key for each series, in the order of the list.
	latest = `SELECT key, (SELECT ` + packFunction + `(` + resultColumns + `) FROM results
			WHERE series = value AND start_ns BETWEEN ?2 AND ?3 ORDER BY start_ns DESC LIMIT 1)
		FROM json_each(?1)`
	page = `SELECT ` + packFunction + `(` + resultColumns + `) FROM results
		WHERE series = ? AND start_ns >= ? AND start_ns < ? ORDER BY start_ns LIMIT ?`

	// This jumps from one name to the next by the primary key, where DISTINCT
	// would read every report ever stored.
	everyProbe = `WITH RECURSIVE probes (name) AS (
			SELECT min(probe) FROM reports
			UNION ALL
			SELECT (SELECT min(probe) FROM reports WHERE probe > name) FROM probes WHERE name IS NOT NULL
		) `
	probes  = everyProbe + `SELECT name FROM probes WHERE name IS NOT NULL`
	reports = everyProbe + `SELECT probe, start_ns, stored_at_ns, inventory, peers, health
		FROM probes CROSS JOIN reports ON probe = name
		WHERE start_ns = (SELECT max(start_ns) FROM reports WHERE probe = name AND start_ns <= ?)
		ORDER BY probe`
)
