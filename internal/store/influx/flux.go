package influx

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"ixpqos/internal/ippm"
	"ixpqos/internal/store"
)

// No result can be older or newer than this (ippm.Result.Check), and InfluxDB
// knows no moment far beyond.
var (
	earliest = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	farthest = time.Date(2201, 1, 1, 0, 0, 0, 0, time.UTC)
)

// bounds are those of [from, until) within which there can be anything; false
// where there is no such moment, which is an error to InfluxDB.
func bounds(from, until time.Time) (time.Time, time.Time, bool) {
	if from.Before(earliest) {
		from = earliest
	}
	if until.After(farthest) {
		until = farthest
	}
	return from.UTC(), until.UTC(), from.Before(until)
}

// inBucket begins a query of a bucket. Names go into queries as literals only, and
// only through literal.
func inBucket(bucket string, from, until time.Time) string {
	return fmt.Sprintf("from(bucket: %s) |> range(start: %s, stop: %s)", literal(bucket),
		from.Format(time.RFC3339Nano), until.Format(time.RFC3339Nano))
}

// is keeps what has the value in a column. InfluxDB does this while it reads.
func is(column, value string) string {
	return " |> filter(fn: (r) => r." + column + " == " + literal(value) + ")"
}

func keep(columns ...string) string {
	return ` |> keep(columns: ["` + strings.Join(columns, `", "`) + `"])`
}

// passing keeps what a filter lets pass.
func passing(f store.Filter) (flux string) {
	if f.Test != "" {
		flux += is("test", f.Test)
	}
	if f.Family != 0 {
		flux += is("family", strconv.Itoa(int(f.Family)))
	}
	if f.DSCP != nil {
		flux += is("dscp", strconv.Itoa(int(*f.DSCP)))
	}
	return flux
}

// inSeries keeps what is of a series.
func inSeries(s ippm.Series) string {
	return is("source", s.Source) + is("target", s.Target) + passing(store.Filter{Test: s.Test, Family: s.Family, DSCP: &s.DSCP})
}

// literal is a string in Flux
// (https://docs.influxdata.com/flux/v0/spec/lexical-elements/#string-literals).
// A name in a query may be anything that a client sent, and Flux takes only UTF-8.
func literal(value string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(value); {
		r, n := utf8.DecodeRuneInString(value[i:])
		switch {
		case r == '"' || r == '\\' || r == '$':
			b.WriteString(escapes[r])
		case r < ' ' || r == utf8.RuneError && n == 1:
			b.WriteString(`\x01`) // which is in no name, so that there is nothing of that name
		default:
			b.WriteString(value[i : i+n])
		}
		i += n
	}
	b.WriteByte('"')
	return b.String()
}

var escapes = map[rune]string{'"': `\"`, '\\': `\\`, '$': `\x24`}
