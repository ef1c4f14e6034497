package wire

import (
	"encoding/json"
	"math"
	"strconv"
	"time"
)

// AppendJSON writes what encoding/json writes, without looking at every field's
// type again: a matrix has tens of thousands of cells, and that took a sixth of
// the time of an answer.
func (m Matrix) AppendJSON(b []byte) ([]byte, error) {
	w := writer{b: b}
	w.text(`{"exchange":`, m.Exchange)
	w.text(`,"inventory":`, m.Inventory)
	w.time(`,"at":`, &m.At)
	if m.Cells == nil {
		w.b = append(w.b, `,"cells":null}`...)
		return w.b, w.err
	}
	w.b = append(w.b, `,"cells":[`...)
	for i := range m.Cells {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.cell(&m.Cells[i])
	}
	w.b = append(w.b, `]}`...)
	return w.b, w.err
}

// cellBytes is what a cell takes, roughly.
const cellBytes = 480

// SizeHint is the size of the matrix as JSON, roughly.
func (m Matrix) SizeHint() int { return cellBytes * (1 + len(m.Cells)) }

// writer appends fields, each with its name and what stands before it. It keeps
// the first error.
type writer struct {
	b   []byte
	err error
}

func (w *writer) cell(c *Cell) {
	w.text(`{"source":`, c.Source)
	w.text(`,"target":`, c.Target)
	w.text(`,"test":`, c.Test)
	family, dscp := int(c.Family), int(c.DSCP)
	w.integer(`,"family":`, &family)
	w.integer(`,"dscp":`, &dscp)
	w.text(`,"state":`, c.State)
	w.time(`,"start":`, c.Start)
	w.number(`,"length_s":`, c.LengthS)
	w.number(`,"age_s":`, c.AgeS)
	w.integer(`,"sent":`, c.Sent)
	w.integer(`,"received":`, c.Received)
	w.integer(`,"late":`, c.Late)
	w.integer(`,"lost":`, c.Lost)
	w.integer(`,"lost_forward":`, c.Forward)
	w.integer(`,"lost_backward":`, c.Backward)
	w.integer(`,"lost_unplaced":`, c.Unplaced)
	w.integer(`,"duplicates":`, c.Duplicates)
	w.integer(`,"reordered":`, c.Reordered)
	w.integer(`,"refused":`, c.Refused)
	w.integer(`,"unserved":`, c.Unserved)
	w.number(`,"loss_ratio":`, c.LossRatio)
	w.number(`,"rtt_min_us":`, c.RTTMinUS)
	w.number(`,"rtt_p50_us":`, c.RTTP50US)
	w.number(`,"rtt_p95_us":`, c.RTTP95US)
	w.number(`,"rtt_max_us":`, c.RTTMaxUS)
	if len(c.Troubled) > 0 {
		w.b = append(w.b, `,"troubled":`...)
		w.any(c.Troubled)
	}
	w.b = append(w.b, '}')
}

func (w *writer) text(name, s string) {
	w.b = append(w.b, name...)
	if !plainText(s) {
		w.any(s)
		return
	}
	w.b = append(w.b, '"')
	w.b = append(w.b, s...)
	w.b = append(w.b, '"')
}

// plainText tells that no character of s is written in another way.
func plainText(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ', c > '~', c == '"', c == '\\', c == '<', c == '>', c == '&':
			return false
		}
	}
	return true
}

func (w *writer) time(name string, t *time.Time) {
	w.b = append(w.b, name...)
	if t == nil {
		w.null()
		return
	}
	w.b = append(w.b, '"')
	text, err := t.AppendText(w.b) // as MarshalJSON does
	w.fail(err)
	w.b = append(text, '"')
}

func (w *writer) integer(name string, n *int) {
	w.b = append(w.b, name...)
	if n == nil {
		w.null()
		return
	}
	w.b = strconv.AppendInt(w.b, int64(*n), 10)
}

func (w *writer) number(name string, f *float64) {
	w.b = append(w.b, name...)
	switch {
	case f == nil:
		w.null()
	case *f == 0 || math.Abs(*f) >= 1e-6 && math.Abs(*f) < 1e21: // not with an exponent
		w.b = strconv.AppendFloat(w.b, *f, 'f', -1, 64)
	default:
		w.any(*f)
	}
}

func (w *writer) null() { w.b = append(w.b, "null"...) }

// any leaves what is rare or difficult to encoding/json.
func (w *writer) any(v any) {
	text, err := json.Marshal(v)
	w.fail(err)
	w.b = append(w.b, text...)
}

func (w *writer) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}
