package sqlite

import (
	"database/sql/driver"
	"math"
	"testing"
)

func read(p *packed) []any {
	return []any{p.integer(), p.null(), p.integer(), p.real(), p.text(), string(p.blob()), p.null()}
}

func TestPack(t *testing.T) {
	b, err := pack([]driver.Value{int64(math.MinInt64), nil, int64(0), math.Inf(-1), "é", []byte{0, 1}, nil})
	if err != nil {
		t.Fatal(err)
	}
	p := &packed{bytes: b}
	for i, want := range []any{int64(math.MinInt64), true, int64(0), math.Inf(-1), "é", "\x00\x01", true} {
		if got := read(&packed{bytes: b})[i]; got != want {
			t.Errorf("value %d is %v, not %v", i, got, want)
		}
	}
	if read(p); p.err != nil || len(p.bytes) != 0 {
		t.Errorf("%d bytes left, %v", len(p.bytes), p.err)
	}
}

func TestPackedCutShort(t *testing.T) {
	b, err := pack([]driver.Value{int64(300), nil, int64(1), 0.5, "é", []byte{0, 1}, nil})
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(b) - 1 {
		p := &packed{bytes: b[:n:n]}
		if read(p); p.err == nil {
			t.Errorf("no error after %d of %d bytes", n, len(b))
		}
	}
	p := &packed{bytes: b}
	if p.text(); p.err == nil {
		t.Error("a number was read as text")
	}
	if got := p.integer(); got != 0 {
		t.Errorf("%d was read after an error", got)
	}
}
