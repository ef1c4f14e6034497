package sender

import (
	"slices"
	"strings"
	"testing"
	"time"

	"ixpqos/infra/simulation"
	"ixpqos/internal/inventory"
	"ixpqos/internal/measure/stamp"
	"ixpqos/internal/measure/timestamp"
)

// ssids are those of the packets to a target, in order, since the last call.
func (v *virtual) ssids(name string) (all func() []uint16) {
	var seen []uint16
	v.sim.Impair(simulation.Impairment{Of: func(p simulation.Packet) bool {
		if p.To.Addr() == v.far[name].addresses[0] && p.To.Port() == inventory.DefaultReflectorPort {
			if r, err := stamp.ParseRequest(p.Payload); err == nil && !slices.Contains(seen, r.SSID) {
				seen = append(seen, r.SSID)
			}
		}
		return false
	}})
	return func() []uint16 {
		now := seen
		seen = nil
		return now
	}
}

func TestApplyTouchesOnlyWhatChanges(t *testing.T) {
	t.Parallel()
	v := simulatedWith(t, partOf([]inventory.Test{plan("flows")}, "p2"))
	p2 := v.ssids("p2")
	v.runInto(3 * time.Second)
	before := p2()
	v.apply(partOf([]inventory.Test{plan("flows")}, "p2", "p3"))
	v.runInto(3 * time.Second)
	v.runInto(3 * time.Second)
	v.apply(partOf([]inventory.Test{plan("flows")}, "p2"))
	v.runOut()
	v.expectWhole(t)
	if after := p2(); len(before) != 1 || !slices.Equal(before, after) {
		t.Errorf("SSIDs %v, then %v", before, after)
	}
	// p3 came in the first whole interval, and left in the third.
	if p2, p3 := len(v.results("p2")), len(v.results("p3")); p2 != 3 || p3 != 1 {
		t.Errorf("%d results of p2, %d of p3", p2, p3)
	}
	if n := len(v.tests[0].pairs); n != 1 {
		t.Errorf("%d pairs are there still", n)
	}
}

func TestATargetThatComesIsGivenFromTheNextIntervalOn(t *testing.T) {
	t.Parallel()
	v := simulatedWith(t, partOf([]inventory.Test{plan("flows")}, "p2"))
	v.runInto(3 * time.Second)
	v.apply(partOf([]inventory.Test{plan("flows")}, "p2", "p3"))
	v.runOut()
	v.runOut()
	v.expectWhole(t)
	if p2, p3 := len(v.results("p2")), len(v.results("p3")); p2 != p3+1 {
		t.Errorf("%d results of p2, %d of p3", p2, p3)
	}
}

func TestAChangedTestBeginsAnew(t *testing.T) {
	t.Parallel()
	v := simulated(t)
	ssids := v.ssids("p2")
	v.runInto(every + 3*time.Second)
	changed := plan("flows")
	changed.Size = 500
	v.apply(partOf([]inventory.Test{changed}, "p2", "p3"))
	again := v.wall()
	v.runOut()
	v.runOut()
	v.runOut()
	v.expectWhole(t)
	if seen := ssids(); len(seen) != 2 {
		t.Errorf("SSIDs %v", seen)
	}
	for _, i := range v.intervals {
		if i.Start.UnixNano() < again && i.Start.UnixNano()+int64(every) > again {
			t.Error("the interval of the change was given")
		}
	}
	if len(v.intervals) < 2 {
		t.Errorf("%d intervals", len(v.intervals))
	}
}

// TestAProbeThatOnlyReflects gives intervals, to which what it heard is added.
func TestAProbeThatOnlyReflects(t *testing.T) {
	t.Parallel()
	test := plan("flows")
	test.Sources = []string{"p2"}
	v := simulatedWith(t, partOf([]inventory.Test{test}, "p2"))
	v.runInto(every)
	v.runOut()
	if len(v.intervals) != 2 || len(v.intervals[0].Results) > 0 || len(v.sent) > 0 {
		t.Errorf("%d packets; intervals %+v", len(v.sent), v.intervals)
	}
}

func TestAPortThatIsTaken(t *testing.T) {
	t.Parallel()
	v := simulatedWith(t, inventory.Part{})
	taken, err := v.p1.Open(timestamp.Options{Local: at4("p1", 50002), Batch: batch, MaxPacket: inventory.MaxSize})
	if err != nil {
		t.Fatal(err)
	}
	v.apply(partOf([]inventory.Test{plan("flows")}, "p2"))
	v.runInto(every)
	v.runOut()
	trouble := v.troubles["flows of test flows"]
	if strings.Count(trouble, "source port 50002") != 1 || strings.Count(trouble, "source port") != 1 {
		t.Errorf("trouble %q", trouble)
	}
	if r := v.results("p2")[0]; r.Sent < 3*perFlow-3 || r.Sent > 3*perFlow+3 || r.Lost() > 0 {
		t.Errorf("%+v", r.Counts)
	}
	taken.Close()
	v.runOut()
	v.runOut()
	results := v.results("p2")
	if r := results[len(results)-1]; len(r.Flows) != 4 || r.Lost() > 0 || len(v.troubles) > 0 {
		t.Errorf("once it is free: %+v, troubles %v", r.Counts, v.troubles)
	}
}

// TestATestThatIsRefused is told of as long as it is asked for.
func TestATestThatIsRefused(t *testing.T) {
	t.Parallel()
	v := simulated(t)
	bad := plan("flows")
	bad.Spacing = time.Millisecond
	v.apply(partOf([]inventory.Test{bad}, "p2"))
	if !strings.Contains(v.troubles["flows of test flows"], "spacing") {
		t.Errorf("troubles %v", v.troubles)
	}
	v.apply(inventory.Part{})
	if len(v.troubles) > 0 {
		t.Errorf("troubles %v of no test", v.troubles)
	}
	v.apply(partOf([]inventory.Test{bad}, "p2"))
	v.apply(partOf([]inventory.Test{plan("flows")}, "p2"))
	if len(v.troubles) > 0 {
		t.Errorf("troubles %v of a good test", v.troubles)
	}
}

func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		pairs  int
		change func(*inventory.Test)
	}{
		"many pairs":       {4097, func(*inventory.Test) {}},
		"no flow":          {1, func(t *inventory.Test) { t.Flows = 0 }},
		"many flows":       {1, func(t *inventory.Test) { t.Flows = inventory.MaxFlows + 1 }},
		"a low port":       {1, func(t *inventory.Test) { t.Port = 1023 }},
		"too high a port":  {1, func(t *inventory.Test) { t.Port = 65533 }},
		"no spacing":       {1, func(t *inventory.Test) { t.Spacing = 0 }},
		"a short spacing":  {1, func(t *inventory.Test) { t.Spacing = Tick }},
		"an odd spacing":   {1, func(t *inventory.Test) { t.Spacing = 110 * time.Millisecond }},
		"a short interval": {1, func(t *inventory.Test) { t.Every = 200 * time.Millisecond }},
		"a long interval":  {1, func(t *inventory.Test) { t.Every = time.Minute + 1 }},
		"small packets":    {1, func(t *inventory.Test) { t.Size = inventory.MinSTAMPSize4 - 1 }},
		"large packets":    {1, func(t *inventory.Test) { t.Size = inventory.MaxSize + 1 }},
		"a wrong DSCP":     {1, func(t *inventory.Test) { t.DSCP = 64 }},
		"a flood":          {1300, func(*inventory.Test) {}},
	} {
		test := plan("flows")
		if err := Check(test, 1); err != nil {
			t.Fatal(err)
		}
		c.change(&test)
		if Check(test, c.pairs) == nil {
			t.Errorf("%s is taken", name)
		}
	}
}
