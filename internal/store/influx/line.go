package influx

import (
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

// lines are points in line protocol
// (https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/),
// and what each of them is about. The client's own Point costs eight times as much.
type lines struct {
	text []byte
	// all are the lines in order; one ends where the next begins.
	all []line
	// fields is set while the line that is being written has fields.
	fields bool
}

// line is where a line ends, its line break included, and of which results of a
// batch, or pings, it tells.
type line struct {
	measurement string
	end         int
	results     []int
}

// begin starts a line. Tags follow, in the order of their keys, then fields,
// then finish.
func (l *lines) begin(measurement string) {
	l.text = append(l.text, measurement...)
	l.fields = false
}

// tag adds a tag. A value is a name (ippm.CheckName): not empty, no line break,
// no backslash at its end. No other character but these needs an escape, and a
// backslash before another one is itself.
func (l *lines) tag(key, value string) {
	l.text = append(l.text, ',')
	l.text = append(l.text, key...)
	l.text = append(l.text, '=')
	if !strings.ContainsAny(value, ", =") {
		l.text = append(l.text, value...)
		return
	}
	for i := range len(value) {
		switch value[i] {
		case ',', ' ', '=':
			l.text = append(l.text, '\\')
		}
		l.text = append(l.text, value[i])
	}
}

func (l *lines) number(key string, value uint8) {
	l.text = append(l.text, ',')
	l.text = append(l.text, key...)
	l.text = append(l.text, '=')
	l.text = strconv.AppendUint(l.text, uint64(value), 10)
}

func (l *lines) field(key string) {
	separator := byte(',')
	if !l.fields {
		separator, l.fields = ' ', true
	}
	l.text = append(l.text, separator)
	l.text = append(l.text, key...)
	l.text = append(l.text, '=')
}

func (l *lines) integer(key string, value int64) {
	l.field(key)
	l.text = append(strconv.AppendInt(l.text, value, 10), 'i')
}

func (l *lines) boolean(key string, value bool) {
	l.field(key)
	l.text = strconv.AppendBool(l.text, value)
}

// float adds a finite number.
func (l *lines) float(key string, value float64) {
	l.field(key)
	l.text = strconv.AppendFloat(l.text, value, 'g', -1, 64)
}

func (l *lines) string(key, value string) {
	l.field(key)
	l.text = append(l.text, '"')
	for i := range len(value) {
		if value[i] == '"' || value[i] == '\\' {
			l.text = append(l.text, '\\')
		}
		l.text = append(l.text, value[i])
	}
	l.text = append(l.text, '"')
}

// bytes adds a string field of their base64, which needs no escapes.
func (l *lines) bytes(key string, value []byte) {
	l.field(key)
	l.text = append(l.text, '"')
	l.text = base64.StdEncoding.AppendEncode(l.text, value)
	l.text = append(l.text, '"')
}

// finish ends the line, which is about the given results of the batch, or pings.
func (l *lines) finish(measurement string, at time.Time, results []int) {
	l.text = append(l.text, ' ')
	l.text = strconv.AppendInt(l.text, at.UnixNano(), 10)
	l.text = append(l.text, '\n')
	l.all = append(l.all, line{measurement, len(l.text), results})
}
