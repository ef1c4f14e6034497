package ping

import (
	"strings"
	"testing"
)

func TestRhythm(t *testing.T) {
	for pattern, want := range map[string]string{ // x is lost
		"..........":                     "",
		"xxxxxxxxxx":                     "",
		"xxxxx.....":                     "",
		".....xxxxx":                     "",
		"..x..xx.x.":                     "",
		"x.x.x.x.x.":                     "leaves every second ping unanswered",
		"...x...x...x...x...x.":          "leaves every 4th ping unanswered",
		"....xx.xx.xx.xx.xx.":            "answers about every third ping only",
		"...xx.xxx.xx.xx.xxx.xx.xxx.xx.": "answers about every third ping only",
		"x.xx.x":                         "",
	} {
		books := sendAll(len(pattern))
		for i, c := range pattern {
			if c == '.' {
				books.onReply(i+1, ms, at(books.pings[i+1].sent.since+ms))
			}
		}
		if got := books.rhythm(); got != want && !(want != "" && strings.Contains(got, want)) {
			t.Errorf("%s: %q; want %q", pattern, got, want)
		}
	}
}
