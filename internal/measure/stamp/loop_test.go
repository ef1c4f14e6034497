package stamp

import (
	"bytes"
	"testing"
	"time"
)

// TestMayBeReply: replies are known, to whatever packet, and requests are not.
func TestMayBeReply(t *testing.T) {
	now := time.Date(2036, 2, 7, 6, 28, 16, 5, time.UTC).UnixNano() // NTP's seconds are 0
	for _, f := range []Format{NTP, PTP} {
		recent := Reflection{
			Sequence: 1, Received: TimestampOf(now, f), Sent: TimestampOf(now+1000, f), Error: NewErrorEstimate(true, f, time.Millisecond),
		}
		ours := Request{Sequence: 1, Sent: TimestampOf(now, f), Error: recent.Error}
		plain, err := AppendRequest(nil, ours, 100)
		if err != nil {
			t.Fatal(err)
		}
		light := ours
		light.Light, light.Rest = true, bytes.Repeat([]byte{5}, 86)
		for name, request := range map[string][]byte{
			"a request": plain, "a base packet": plain[:BaseSize], "TWAMP-Light's": light.Append(nil), "the smallest": light.Append(nil)[:14],
			"one with zeros for a time": make([]byte, 60), "one with padding": bytes.Repeat([]byte{0xaa}, 60), "none": nil,
		} {
			if MayBeReply(request, now) {
				t.Errorf("%v: %s may be a reply", f, name)
			}
			reply, err := Reflect(nil, request, recent)
			if err == nil && !MayBeReply(reply, now+int64(time.Second)) {
				t.Errorf("%v: the reply to %s is taken for none", f, name)
			}
		}
		// Of a clock that is far away, a reply to a reply of ours.
		far := recent
		far.Received, far.Sent = TimestampOf(now-int64(24*time.Hour), f), TimestampOf(now-int64(24*time.Hour), f)
		reply, err := Reflect(nil, plain, far)
		if err != nil || !MayBeReply(reply, now) || MayBeReply(reply, now+int64(24*time.Hour)*2) {
			t.Errorf("%v: a reply of a clock that is far away: %v", f, err)
		}
		if twampy := reply[:38]; !MayBeReply(twampy, now) {
			t.Errorf("%v: a reply that ends before the TTL is taken for none", f)
		}
	}
}
