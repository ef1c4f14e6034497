package sender

import (
	"testing"
	"time"

	"ixpqos/internal/inventory"
	"ixpqos/internal/measure/stamp"
)

// TestEverySpacingIsSent: what a session keeps account of is enough for each.
func TestEverySpacingIsSent(t *testing.T) {
	t.Parallel()
	for _, spacing := range []time.Duration{100 * time.Millisecond, 3500 * time.Millisecond, 6 * time.Second, 9 * time.Second} {
		test := plan("flows")
		test.Spacing = spacing
		v := simulatedWith(t, partOf([]inventory.Test{test}, "p2"))
		v.runInto(10 * time.Minute)
		v.runOut()
		sent := 0
		for _, r := range v.results("p2") {
			sent += r.Sent
		}
		wanted := len(v.intervals) * test.Flows * int(every) / int(spacing)
		if sent < wanted-2*test.Flows || sent > wanted+2*test.Flows {
			t.Errorf("one packet each %v: %d were sent in %d intervals; want about %d", spacing, sent, len(v.intervals), wanted)
		}
	}
}

// TestForgedRepliesAreNone: who has not received a packet does not know when it
// was sent.
func TestForgedRepliesAreNone(t *testing.T) {
	packet, err := stamp.AppendRequest(nil, stamp.Request{SSID: 1}, 100)
	if err != nil {
		t.Fatal(err)
	}
	s := newSession(make(ring, 8), packet, true)
	m := Moment{Wall: 1_800_000_000_000_000_000}
	s.prepare(m, m.Wall, 1, 0)
	s.gone()
	if s.sent(0, 0) != nil {
		t.Error("a reply without the packet's timestamp is taken")
	}
	if rec := s.sent(0, stamp.TimestampOf(m.Wall, stamp.NTP)); rec == nil || !s.open(rec) {
		t.Error("a reply with the packet's timestamp is not taken")
	}
}
