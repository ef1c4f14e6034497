package sqlite

import (
	"context"
	"database/sql"
)

// statements are all that are run again and again, prepared once.
type statements struct {
	findSeries, addSeries, putResult, putReport, putPing          *sql.Stmt
	putFlows, dropFlows, putHeard                                 *sql.Stmt
	pruneResults, pruneFlows, pruneHeard                          *sql.Stmt
	pruneReports, prunePings                                      *sql.Stmt
	ready, newSeries, latest, page, flowsPage, reports, lastPings *sql.Stmt
	bothEnds                                                      *sql.Stmt
	probes, pinged                                                *sql.Stmt
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
		{&st.putFlows, write, putFlows},
		{&st.dropFlows, write, dropFlows},
		{&st.putHeard, write, putHeard},
		{&st.putReport, write, putReport},
		{&st.putPing, write, putPing},
		{&st.pruneResults, write, pruneResults},
		{&st.pruneFlows, write, pruneFlows},
		{&st.pruneHeard, write, pruneHeard},
		{&st.pruneReports, write, pruneReports},
		{&st.prunePings, write, prunePings},
		{&st.ready, read, ready},
		{&st.newSeries, read, newSeries},
		{&st.latest, read, latest},
		{&st.page, read, page},
		{&st.flowsPage, read, flowsPage},
		{&st.bothEnds, read, bothEnds},
		{&st.reports, read, reports},
		{&st.lastPings, read, lastPings},
		{&st.probes, read, probes},
		{&st.pinged, read, pinged},
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
	putResult = `INSERT OR REPLACE INTO results (series, ` + resultColumns + `, detail)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	putFlows  = `INSERT OR REPLACE INTO flows (series, start_ns, flows) VALUES (?, ?, ?)`
	dropFlows = `DELETE FROM flows WHERE series = ? AND start_ns = ?`
	putHeard  = `INSERT OR REPLACE INTO heard (series, start_ns, stored_at_ns, length_ns, flows) VALUES (?, ?, ?, ?, ?)`
	putReport = `INSERT OR REPLACE INTO reports (probe, start_ns, stored_at_ns, inventory, peers, health, run, views)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)`

	putPing = `INSERT OR REPLACE INTO pings (source, target, family, at_us, loss, min_ms, max_ms, avg_ms, jitter_ms)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`

	// All take a time, how many rows at most, and a series, a probe or whom
	// pings are from and to.
	pruneResults = `DELETE FROM results WHERE series = ?3 AND start_ns IN
		(SELECT start_ns FROM results WHERE series = ?3 AND start_ns < ?1 ORDER BY start_ns LIMIT ?2)`
	pruneFlows = `DELETE FROM flows WHERE series = ?3 AND start_ns IN
		(SELECT start_ns FROM flows WHERE series = ?3 AND start_ns < ?1 ORDER BY start_ns LIMIT ?2)`
	pruneHeard = `DELETE FROM heard WHERE series = ?3 AND start_ns IN
		(SELECT start_ns FROM heard WHERE series = ?3 AND start_ns < ?1 ORDER BY start_ns LIMIT ?2)`
	pruneReports = `DELETE FROM reports WHERE probe = ?3 AND start_ns IN
		(SELECT start_ns FROM reports WHERE probe = ?3
			AND start_ns < min(?1, (SELECT max(start_ns) FROM reports WHERE probe = ?3)) ORDER BY start_ns LIMIT ?2)`
	prunePings = `DELETE FROM pings WHERE source = ?3 AND target = ?4 AND family = ?5 AND at_us IN
		(SELECT at_us FROM pings WHERE source = ?3 AND target = ?4 AND family = ?5 AND at_us < ?1 / 1000 ORDER BY at_us LIMIT ?2)`

	ready     = `SELECT count(*) FROM (SELECT 1 FROM series LIMIT 1)`
	newSeries = `SELECT id, source, target, test, family, dscp FROM series WHERE id > ? ORDER BY id`

	// One search by primary key for each series, in the order of the list.
	latest = `SELECT key, (SELECT ` + packFunction + `(` + resultColumns + `) FROM results
			WHERE series = value AND start_ns BETWEEN ?2 AND ?3 ORDER BY start_ns DESC LIMIT 1)
		FROM json_each(?1)`
	page = `SELECT ` + packFunction + `(detail, ` + resultColumns + `) FROM results
		WHERE series = ? AND start_ns >= ? AND start_ns < ? ORDER BY start_ns LIMIT ?`
	flowsPage = `SELECT ` + packFunction + `(flows, heard_length_ns, heard_flows, detail, ` + resultColumns + `)
		FROM flows CROSS JOIN results USING (series, start_ns) LEFT JOIN
			(SELECT series, start_ns, length_ns AS heard_length_ns, flows AS heard_flows FROM heard) USING (series, start_ns)
		WHERE series = ? AND start_ns >= ? AND start_ns < ? ORDER BY start_ns LIMIT ?`
	// The list has of each result its series and its moment.
	bothEnds = `SELECT one.key, ` + packFunction + `(flows.flows, heard.length_ns, heard.flows) FROM json_each(?1) AS one
		CROSS JOIN flows ON flows.series = one.value ->> 0 AND flows.start_ns = one.value ->> 1
		CROSS JOIN heard ON heard.series = one.value ->> 0 AND heard.start_ns = one.value ->> 1`

	// This jumps from one name to the next by the primary key, where DISTINCT
	// would read every report ever stored.
	everyProbe = `WITH RECURSIVE probes (name) AS (
			SELECT min(probe) FROM reports
			UNION ALL
			SELECT (SELECT min(probe) FROM reports WHERE probe > name) FROM probes WHERE name IS NOT NULL
		) `
	probes  = everyProbe + `SELECT name FROM probes WHERE name IS NOT NULL`
	reports = everyProbe + `SELECT probe, start_ns, stored_at_ns, inventory, peers, health, run, views
		FROM probes CROSS JOIN reports ON probe = name
		WHERE start_ns = (SELECT max(start_ns) FROM reports WHERE probe = name AND start_ns <= ?)
		ORDER BY probe`

	// The same jumps from source to source and from target to target.
	pinged = `WITH RECURSIVE sources (source) AS (
			SELECT min(source) FROM pings
			UNION ALL
			SELECT (SELECT min(p.source) FROM pings p WHERE p.source > s.source) FROM sources s WHERE s.source IS NOT NULL
		), pairs (source, target) AS (
			SELECT s.source, (SELECT min(p.target) FROM pings p WHERE p.source = s.source) FROM sources s WHERE s.source IS NOT NULL
			UNION ALL
			SELECT a.source, (SELECT min(p.target) FROM pings p WHERE p.source = a.source AND p.target > a.target)
			FROM pairs a WHERE a.target IS NOT NULL
		), families (family) AS (VALUES (4), (6))
		SELECT source, target, family FROM pairs CROSS JOIN families WHERE target IS NOT NULL`
	lastPings = `WITH RECURSIVE targets (name) AS (
			SELECT min(target) FROM pings WHERE source = ?1
			UNION ALL
			SELECT (SELECT min(target) FROM pings WHERE source = ?1 AND target > name) FROM targets WHERE name IS NOT NULL
		), families (number) AS (VALUES (4), (6))
		SELECT source, target, family, at_us, loss, min_ms, max_ms, avg_ms, jitter_ms
		FROM targets CROSS JOIN families CROSS JOIN pings ON source = ?1 AND target = name AND family = number
		WHERE at_us = (SELECT max(at_us) FROM pings WHERE source = ?1 AND target = name AND family = number)
		ORDER BY target, family`
)
