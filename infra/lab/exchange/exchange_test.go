package exchange

import (
	"encoding/json"
	"errors"
	"math"
	"net/netip"
	"testing"
	"time"

	"ixpqos/infra/lab/netns"
)

// TestWrongFaults asks for what cannot be; nothing of the exchange stands, so
// what gets past the checks fails in another way.
func TestWrongFaults(t *testing.T) {
	x, err := plan(netns.New("ixpqos-none-"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	at := Place{"sw1-sw2", 3, Forward}
	for _, tc := range []struct {
		name string
		err  error
		want string
	}{
		{"link", x.Lose(Place{"sw1-sw3", 3, Forward}, 5), `link "sw1-sw3": there are sw1-sw2, sw2-sw3, sw2-sw4`},
		{"dead link", x.Kill(""), `link "": there are sw1-sw2, sw2-sw3, sw2-sw4`},
		{"member below 0", x.Lose(Place{"sw1-sw2", -1, Forward}, 5), "member -1 of link sw1-sw2: it is 0 to 7"},
		{"member above the last", x.Remark(Place{"sw1-sw2", 8, Forward}, 5), "member 8 of link sw1-sw2: it is 0 to 7"},
		{"direction", x.Duplicate(Place{"sw2-sw3", 0, "up"}, 5), `direction "up" of link sw2-sw3: it is forward (from sw2 to sw3) or backward`},
		{"no percent", x.Lose(at, 0), "0 % of the packets: it is 0.01 to 100"},
		{"too small a percent", x.Lose(at, 0.001), "0.001 % of the packets: it is 0.01 to 100"},
		{"more than all", x.Duplicate(at, 100.5), "100.5 % of the packets: it is 0.01 to 100"},
		{"not a number", x.Reorder(at, math.NaN(), time.Second), "NaN % of the packets: it is 0.01 to 100"},
		{"DSCP", x.Remark(at, 64), "DSCP 64: it is 0 to 63"},
		{"no delay", x.Delay(at, 0), "a delay of 0s: it is 1µs to 10s"},
		{"too long a delay", x.Delay(at, time.Minute), "a delay of 1m0s: it is 1µs to 10s"},
	} {
		if tc.err == nil || tc.err.Error() != tc.want || !errors.As(tc.err, new(interface{ Usage() })) {
			t.Errorf("%s: %v, want %s, as an error in what was asked for", tc.name, tc.err, tc.want)
		}
	}
}

func TestWrongOptions(t *testing.T) {
	for _, o := range []Options{{ProbesPerSite: -1}, {ProbesPerSite: mostProbes + 1}, {Members: -1}} {
		if _, err := plan(netns.New("ixpqos-none-"), o); !errors.As(err, new(interface{ Usage() })) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestMostProbesHaveAddresses(t *testing.T) {
	x, err := plan(netns.New("ixpqos-none-"), Options{ProbesPerSite: mostProbes})
	if err != nil {
		t.Fatal(err)
	}
	last := x.Probes[len(x.Probes)-1]
	if last.IPv4 != netip.MustParseAddr("198.18.0.240") || last.IPv6 != netip.MustParseAddr("2001:db8::240") {
		t.Errorf("the last probe is %+v", last)
	}
}

func TestFlowParse(t *testing.T) {
	var f Flow
	if err := f.parse(raw(`["2001:db8::1","2001:db8::3",61000,862]`)); err != nil || f.String() != "[2001:db8::1]:61000 → [2001:db8::3]:862" {
		t.Errorf("%v, %v", f, err)
	}
	for _, wrong := range []string{`[]`, `["198.18.0.1","198.18.0.2",61000]`, `["198.18.0.1","198.18.0.2",61000,70000]`, `["a","198.18.0.2",61000,862]`} {
		if err := f.parse(raw(wrong)); err == nil {
			t.Errorf("%s was read as %v", wrong, f)
		}
	}
}

func raw(text string) (list []json.RawMessage) {
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		panic(err)
	}
	return list
}
