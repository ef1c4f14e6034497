package influx

import (
	"cmp"
	"time"
)

// Buckets are the names of the buckets.
type Buckets struct {
	// Raw holds what probes report; FiveMinutes and Hours what is merged of it;
	// Flows the detail of single flows; Rows what the matrix of the past needs.
	Raw, FiveMinutes, Hours, Flows, Rows string
}

// orDefaults fills in the names that are not given.
func (b Buckets) orDefaults() Buckets {
	return Buckets{
		Raw:         cmp.Or(b.Raw, "ixpqos_raw"),
		FiveMinutes: cmp.Or(b.FiveMinutes, "ixpqos_5m"),
		Hours:       cmp.Or(b.Hours, "ixpqos_1h"),
		Flows:       cmp.Or(b.Flows, "ixpqos_flows"),
		Rows:        cmp.Or(b.Rows, "ixpqos_rows"),
	}
}

// Retention is how long each bucket keeps what it has; 0 is for ever.
type Retention struct{ Raw, FiveMinutes, Hours, Flows, Rows time.Duration }

const day = 24 * time.Hour

// DefaultRetention is what an exchange needs.
var DefaultRetention = Retention{Raw: 14 * day, FiveMinutes: 90 * day, Hours: 5 * 365 * day, Flows: 2 * day, Rows: 400 * day}
