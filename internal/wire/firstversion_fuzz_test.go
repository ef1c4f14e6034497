package wire

import (
	"math"
	"testing"
	"unicode/utf8"
)

func FuzzDecodeFirst(f *testing.F) {
	for _, body := range []string{
		`{"source":"p1","probes":[{"name":"p2","proto":4,"address":"192.0.2.2","pinged":true,"ping_min":0.5,"ping_max":2,"ping_avg":1,"ping_jitter":0.1,"ping_loss":0.1}]}`,
		`{"source":"p1","probes":[{"name":"p2","proto":6,"pinged":true,"ping_loss":1},{"name":"p1","pinged":false,"ping_min":null}]}`,
		`{"source":"p1","probes":[{"name":"p2","proto":"4","pinged":"true"},null,7,[],{}]}`,
		`{"source":7}`, `null`, `[]`, ``, `{"probes":[1e999,{"pinged":true,"name":"x","proto":4,"ping_loss":1e-400}]}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		const most = 50
		post, err := DecodeFirst(body, most)
		if err != nil {
			if len(err.Error()) > 500 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
			return
		}
		if len(post.Pings)+len(post.Bad) != post.Posted || post.Posted > most {
			t.Fatalf("%d pings and %d bad ones of %d", len(post.Pings), len(post.Bad), post.Posted)
		}
		for _, ping := range post.Pings {
			sound(t, ping)
		}
		for _, bad := range post.Bad {
			if text := bad.String(); bad.Reason == "" || len(text) > 1000 || !utf8.ValidString(text) {
				t.Fatalf("a bad entry is told as %q", text)
			}
		}
	})
}

// sound fails where a ping that was read cannot have been measured.
func sound(t *testing.T, ping FirstPing) {
	if ping.Family != 4 && ping.Family != 6 || !(ping.Loss >= 0 && ping.Loss <= 1) || (ping.RTT == nil) != (ping.Loss == 1) {
		t.Fatalf("%+v", ping)
	}
	if ping.RTT == nil {
		return
	}
	for _, v := range []float64{ping.RTT.Min, ping.RTT.Max, ping.RTT.Avg, ping.RTT.Jitter} {
		if !(v >= 0 && v <= math.MaxFloat64) {
			t.Fatalf("%+v has %+v", ping, *ping.RTT)
		}
	}
}
