package ippm

import (
	"encoding/binary"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func someFlows() []Flow {
	return []Flow{
		{Port: 61000, Counts: Counts{Sent: 40, Received: 40}, Samples: 40, Median: 212.345, Max: 900.001, OneWayForward: -5e9, OneWayBackward: 5e9 + 0.25},
		{Port: 61001, Counts: Counts{Sent: 40, Unplaced: 40}, LossyUnplaced: 1<<10 - 1},
		{Port: 61005, Counts: Counts{Sent: 21, Received: 9, Late: 1, Forward: 2, Backward: 3, Unplaced: 6, Duplicates: 4, Reordered: 5, Refused: 7, Unserved: 8},
			LossyForward: 1, LossyBackward: 1 << 59, LossyUnplaced: math.MaxUint64, Samples: 8, Median: 0, Max: 0.001, OneWayForward: 0.5, OneWayBackward: -0.5},
		{Port: 65535, Counts: Counts{Refused: 1}},
	}
}

func someHeardFlows() []HeardFlow {
	return []HeardFlow{{Port: 1024, Heard: 40, Answered: 40}, {Port: 61000, Heard: 300, Answered: 0}, {Port: 65535}}
}

func someDetail() *Detail {
	return &Detail{
		IPDVForward:    Moments{N: 3, Min: 0, Max: 12.5, Mean: 4.75, M2: 90.1},
		OneWayForward:  OneWay{Moments: Moments{N: 2, Min: -1, Max: 1, Mean: 0.1, M2: 2}, Error: 12.25},
		OneWayBackward: OneWay{Moments: Moments{N: 1, Min: 7, Max: 7, Mean: 7}},
		// One more each, so that no two can change places unnoticed.
		RemarkedForward: 1, RemarkedBackward: 2, LowTTL: 3, KernelT1: 400, KernelT2: 500, KernelT3: 600, KernelT4: 700,
	}
}

func TestPackedFormsComeBackAsTheyWere(t *testing.T) {
	for _, flows := range [][]Flow{nil, someFlows(), {{Counts: Counts{Sent: 1, Late: 1}}}} {
		if got, err := DecodeFlows(EncodeFlows(flows)); err != nil || !reflect.DeepEqual(got, flows) {
			t.Errorf("flows came back as %+v, %v; want %+v", got, err, flows)
		}
	}
	for _, flows := range [][]HeardFlow{nil, someHeardFlows(), {{}}} {
		if got, err := DecodeHeardFlows(EncodeHeardFlows(flows)); err != nil || !reflect.DeepEqual(got, flows) {
			t.Errorf("heard flows came back as %+v, %v; want %+v", got, err, flows)
		}
	}
	for _, detail := range []*Detail{nil, someDetail(), {}} {
		if got, err := DecodeDetail(detail.Encode()); err != nil || !reflect.DeepEqual(got, detail) {
			t.Errorf("a detail came back as %+v, %v; want %+v", got, err, detail)
		}
	}
	if len(EncodeFlows([]Flow{}))+len(EncodeHeardFlows([]HeardFlow{})) > 0 {
		t.Error("an empty list has octets")
	}
}

// TestNoFieldOfAFlowIsForgotten holds the list of fields in pack.go against the types.
func TestNoFieldOfAFlowIsForgotten(t *testing.T) {
	full := someFlows()[2]
	full.Median = 0.0005 // rounds to what is there
	for _, v := range []reflect.Value{reflect.ValueOf(full), reflect.ValueOf(full.Counts), reflect.ValueOf(*someDetail())} {
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; v.Field(i).IsZero() && name != "IPDVBackward" {
				t.Errorf("the round trip does not try %s.%s", v.Type(), name)
			}
		}
	}
}

func TestBrokenPackedFormsAreRefused(t *testing.T) {
	flows, heard, detail := EncodeFlows(someFlows()), EncodeHeardFlows(someHeardFlows()), someDetail().Encode()
	decodeFlows := func(b []byte) error { _, err := DecodeFlows(b); return err }
	decodeHeard := func(b []byte) error { _, err := DecodeHeardFlows(b); return err }
	decodeDetail := func(b []byte) error { _, err := DecodeDetail(b); return err }
	for name, form := range map[string]struct {
		good   []byte
		decode func([]byte) error
	}{"flows": {flows, decodeFlows}, "heard flows": {heard, decodeHeard}, "detail": {detail, decodeDetail}} {
		for n := 1; n < len(form.good); n++ {
			if form.decode(form.good[:n]) == nil {
				t.Errorf("%d of %d octets of %s are taken", n, len(form.good), name)
			}
		}
		if err := form.decode(append(slices.Clip(form.good), 0)); err == nil || !strings.Contains(err.Error(), "left over") {
			t.Errorf("%s with an octet left over: %v", name, err)
		}
		if err := form.decode(append([]byte{2}, form.good[1:]...)); err == nil || !strings.Contains(err.Error(), "version 2") {
			t.Errorf("%s of another version: %v", name, err)
		}
	}
	for want, f := range map[string]Flow{
		"times for -1 received":           {Counts: Counts{Forward: 1}},
		"2 round-trip times for 1":        {Counts: Counts{Sent: 1, Received: 1}, Samples: 2},
		"a count is out of range":         {Counts: Counts{Sent: -1, Received: -1}},
		"median 2 and maximum 1 are no":   {Counts: Counts{Sent: 1, Received: 1}, Samples: 1, Median: 2, Max: 1},
		"median -2 and maximum 1 are no ": {Counts: Counts{Sent: 1, Received: 1}, Samples: 1, Median: -2, Max: 1},
	} {
		if err := decodeFlows(EncodeFlows([]Flow{f})); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error = %v; want one with %q", err, want)
		}
	}
	for name, err := range map[string]error{
		"flows out of order":          decodeFlows(EncodeFlows([]Flow{{Port: 2}, {Port: 1}})),
		"a flow twice":                decodeFlows(EncodeFlows([]Flow{{Port: 2}, {Port: 2}})),
		"too many flows":              decodeFlows(EncodeFlows(make([]Flow, MaxFlows+1))),
		"no flows":                    decodeFlows([]byte{packVersion, 0}),
		"a port too high":             decodeFlows([]byte{packVersion, 1, 0x80, 0x80, 4, 0, 0, 0}),
		"an unknown value":            decodeFlows(append(binary.AppendUvarint([]byte{packVersion, 1, 1, 1}, 1<<11), 0)),
		"a number of eleven octets":   decodeFlows(append([]byte{packVersion, 1}, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1, 0, 0, 0)),
		"a delay of centuries":        decodeFlows(binary.AppendVarint([]byte{packVersion, 1, 1, 1, 0, 1, 0, 0, 0}, math.MinInt64)),
		"heard flows out of order":    decodeHeard(EncodeHeardFlows([]HeardFlow{{Port: 2}, {Port: 1}})),
		"more answered than heard":    decodeHeard(EncodeHeardFlows([]HeardFlow{{Heard: 1, Answered: 2}})),
		"fewer than 0 answered":       decodeHeard(EncodeHeardFlows([]HeardFlow{{Heard: 1, Answered: -1}})),
		"a detail that is not finite": decodeDetail((&Detail{IPDVForward: Moments{N: 1, Max: math.Inf(1)}}).Encode()),
		"an error that is no number":  decodeDetail((&Detail{OneWayForward: OneWay{Moments{N: 1}, math.NaN()}}).Encode()),
		"a negative error":            decodeDetail((&Detail{OneWayBackward: OneWay{Moments{N: 1}, -1}}).Encode()),
		"a count below 0":             decodeDetail((&Detail{LowTTL: -1}).Encode()),
	} {
		if err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func FuzzDecodeFlows(f *testing.F) {
	f.Add(EncodeFlows(someFlows()))
	f.Add([]byte{packVersion, 0xff, 0x1f, 1, 1, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		flows, err := DecodeFlows(b)
		if err != nil {
			return
		}
		if err := checkFlows(flows); err != nil {
			t.Fatal(err)
		}
		again, err := DecodeFlows(EncodeFlows(flows))
		if err != nil || len(again) != len(flows) {
			t.Fatalf("%+v came back as %+v, %v", flows, again, err)
		}
		for i := range flows {
			if !sameFlow(again[i], flows[i]) {
				t.Fatalf("%+v came back as %+v", flows[i], again[i])
			}
		}
	})
}

// sameFlow leaves to delays of years what a float64 cannot hold of them.
func sameFlow(a, b Flow) bool {
	for i, us := range a.delays() {
		if math.Abs(*us-*b.delays()[i]) > 1e-15*math.Abs(*us) {
			return false
		}
		*us = *b.delays()[i]
	}
	return a == b
}

func FuzzDecodeHeardFlows(f *testing.F) {
	f.Add(EncodeHeardFlows(someHeardFlows()))
	f.Fuzz(func(t *testing.T, b []byte) {
		flows, err := DecodeHeardFlows(b)
		if err != nil {
			return
		}
		again, err := DecodeHeardFlows(EncodeHeardFlows(flows))
		if err != nil || checkHeardFlows(flows) != nil || !slices.Equal(again, flows) {
			t.Fatalf("%+v came back as %+v, %v", flows, again, err)
		}
	})
}

func FuzzDecodeDetail(f *testing.F) {
	f.Add(someDetail().Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		detail, err := DecodeDetail(b)
		if err != nil {
			return
		}
		again, err := DecodeDetail(detail.Encode())
		if err != nil || detail.check() != nil || !reflect.DeepEqual(again, detail) {
			t.Fatalf("%+v came back as %+v, %v", detail, again, err)
		}
	})
}
