package influx

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// record is a row of an answer. It is only valid until the next.
type record struct {
	columns map[string]int
	values  []string
}

// get is the value in a column, empty where there is none.
func (r record) get(column string) string {
	i, ok := r.columns[column]
	if !ok || i >= len(r.values) {
		return ""
	}
	return r.values[i]
}

func (r record) time() (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, r.get("_time"))
	return t.UTC(), err
}

func nothing(record) error { return nil }

// queryHeader asks for an answer that is not packed: most of it is sketches,
// of which nothing is gained but InfluxDB's time is lost.
var queryHeader = http.Header{"Content-Type": {"application/json"}, "Accept-Encoding": {"identity"}}

// query runs a Flux query and calls each with every record. The answer is read
// as it is: the client's own reader makes a map of every record.
func (s *Store) query(ctx context.Context, flux string, each func(record) error) error {
	body, err := json.Marshal(map[string]any{"query": flux, "type": "flux",
		"dialect": map[string]any{"header": true, "annotations": []string{}}})
	if err != nil {
		return err
	}
	return s.do(ctx, s.queryURL, body, queryHeader, answered, func(r *http.Response) error { return readAnswer(r.Body, each) })
}

// readAnswer reads CSV (https://docs.influxdata.com/influxdb/v2/reference/syntax/annotated-csv/):
// a header in front of every table with other columns than the one before,
// after an empty line. An error in the middle is a table of its own.
func readAnswer(body io.Reader, each func(record) error) error {
	tables := csv.NewReader(body)
	tables.FieldsPerRecord = -1
	tables.ReuseRecord = true
	var r record
	for {
		values, err := tables.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return cut(err)
		}
		switch {
		case isHeader(values):
			r.columns = columnsOf(values)
			continue
		case r.columns == nil:
			return badAnswer{fmt.Errorf("an answer begins with %q, which is no header", values)}
		}
		r.values = values
		if _, failed := r.columns["error"]; failed {
			return badAnswer{fmt.Errorf("the query failed: %s", r.get("error"))}
		}
		if err := each(r); err != nil {
			return badAnswer{err}
		}
	}
}

// badAnswer is an answer that came but is not what was asked for: asking again
// would give it again.
type badAnswer struct{ error }

func (b badAnswer) Unwrap() error { return b.error }

// cut tells an answer that is no CSV from one that broke off.
func cut(err error) error {
	var malformed *csv.ParseError
	if errors.As(err, &malformed) {
		return badAnswer{err}
	}
	return err
}

// isHeader tells a header from a record by what stands before the first column
// of a table: the name "result", or "error" where the query failed.
func isHeader(values []string) bool {
	return len(values) > 2 && values[0] == "" && values[1] == "result" && values[2] == "table" ||
		len(values) > 0 && values[0] == "error" || len(values) > 1 && values[0] == "" && values[1] == "error"
}

func columnsOf(header []string) map[string]int {
	columns := map[string]int{}
	for i, name := range header {
		if name != "" {
			columns[strings.Clone(name)] = i
		}
	}
	return columns
}
