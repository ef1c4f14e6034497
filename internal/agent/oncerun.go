package agent

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"ixpqos/internal/inventory"
	"ixpqos/internal/ippm"
	"ixpqos/internal/measure/sender"
	"ixpqos/internal/measure/timestamp"
)

// slice is the shortest part that a round is measured in: a sender settles an
// interval in that time.
const slice = time.Second

// sliced is a test whose intervals are parts of its round, so that what was
// measured can be kept where the round ends early. Each has as many packets; a
// number that cannot be divided into short ones is raised to one that can.
func sliced(t inventory.Test) inventory.Test {
	if t.Spacing <= 0 || t.Count < 1 {
		return t // of which the sender says what is wrong
	}
	least := max(int((slice+t.Spacing-1)/t.Spacing), 1)
	each := min(least, t.Count)
	for t.Count%each != 0 && each < 3*least {
		each++
	}
	if t.Count%each != 0 {
		each = least
		t.Count += each - t.Count%each
	}
	t.Every = time.Duration(each) * t.Spacing
	return t
}

// onceRun is a round under way. It is one goroutine's.
type onceRun struct {
	sender  *sender.Sender
	slice   time.Duration
	begin   time.Time
	end     time.Time // of what is taken
	over    bool
	taken   map[pairKey][]ippm.Result
	wrong   string // the newest sentence says most
	traffic traffic
	bar     *progress
}

// pairKey tells the results of a round apart.
type pairKey struct {
	target string
	family uint8
}

// traffic is what passed the sockets of a round.
type traffic struct {
	sent, received, wanted int
	stopped                bool
}

// tapped is a socket whose traffic is counted. Where that is stopped, what is
// handed over is gone: it is of intervals that nobody takes any more.
type tapped struct {
	sender.Socket
	traffic *traffic
}

func (s tapped) Send(packets []timestamp.Outgoing) int {
	if s.traffic.stopped {
		return len(packets)
	}
	n := s.Socket.Send(packets)
	s.traffic.sent += n
	return n
}

func (s tapped) Receive() ([]timestamp.Incoming, error) {
	in, err := s.Socket.Receive()
	s.traffic.received += len(in)
	return in, err
}

func newOnceRun(r round, plan inventory.Test) *onceRun {
	begin := time.Now().Add(warmUp)
	run := &onceRun{slice: plan.Every, begin: begin, end: begin.Add(time.Duration(plan.Count) * plan.Spacing), taken: map[pairKey][]ippm.Result{}}
	run.traffic.wanted = len(r.pairs) * plan.Flows * plan.Count
	run.bar = newProgress(r.progress, 1, run.traffic.wanted)
	run.sender = sender.New(sender.Settings{Name: r.source, Open: run.open, Clock: timestamp.ClockError, Random: randomSSID,
		Origin: begin.UnixNano(), Trouble: run.trouble})
	run.sender.Apply(r.onlyThis(plan))
	return run
}

func (o *onceRun) open(options timestamp.Options) (sender.Socket, error) {
	socket, err := openSender(options)
	if err != nil {
		return nil, err
	}
	return tapped{socket, &o.traffic}, nil
}

func (o *onceRun) trouble(_, sentence string) {
	if sentence != "" && !o.traffic.stopped {
		o.wrong = sentence
	}
}

// until measures until the round is over. Where the context ends first, that is
// at once but for what must still be waited for: replies that may be late.
func (o *onceRun) until(ctx context.Context) {
	defer o.sender.Close()
	began := time.Now()
	now := func() sender.Moment {
		t := time.Now()
		return sender.Moment{Wall: t.UnixNano(), Since: t.Sub(began)}
	}
	timer := time.NewTimer(o.sender.Wait(now()))
	defer timer.Stop()
	told := ctx.Done()
	for !o.over {
		select {
		case <-told:
			told = nil
			o.stop(time.Now())
		case <-timer.C:
			o.sender.Tick(now(), o.take)
			o.show()
			timer.Reset(o.sender.Wait(now()))
		}
	}
}

// stop ends the round with the last part that is whole.
func (o *onceRun) stop(at time.Time) {
	o.traffic.stopped = true
	if whole := o.begin.Add(at.Sub(o.begin) / o.slice * o.slice); at.Before(o.end) {
		o.end = whole
	}
	o.over = !o.begin.Before(o.end)
}

// take keeps what was measured in a part of the round.
func (o *onceRun) take(i sender.Interval) {
	if i.Start.Before(o.end) && i.Whole {
		for _, r := range i.Results {
			key := pairKey{r.Target, r.Family}
			o.taken[key] = append(o.taken[key], r)
		}
	}
	o.over = o.over || !i.Start.Add(i.Length).Before(o.end)
}

func (o *onceRun) show() {
	t := o.traffic
	if t.stopped || t.sent >= t.wanted {
		o.bar.say("waiting up to 6 s for replies that are late ")
		return
	}
	o.bar.update(0, t.sent, t.received)
}

// results are those of the whole round, in the order of its pairs.
func (o *onceRun) results(pairs []inventory.Pair) (all []measured, err error) {
	for _, p := range pairs {
		parts := o.taken[pairKey{p.Target, p.Family}]
		if len(parts) == 0 {
			continue
		}
		whole, err := ippm.Merge(parts...)
		if err != nil {
			return nil, fmt.Errorf("put the parts of the round together: %w", err)
		}
		m := measured{Result: whole, Pair: p}
		m.Flows, m.medians = mergedFlows(parts)
		all = append(all, m)
	}
	return all, nil
}

// mergedFlows are what the flows of a pair saw in all parts, with the medians of
// each part: that of the whole lies between them, and no more is known of it.
func mergedFlows(parts []ippm.Result) (flows []ippm.Flow, medians map[uint16][]float64) {
	byPort := map[uint16]ippm.Flow{}
	medians = map[uint16][]float64{}
	for _, p := range parts {
		for _, f := range p.Flows {
			byPort[f.Port] = joined(byPort[f.Port], f)
			if f.Samples > 0 {
				medians[f.Port] = append(medians[f.Port], f.Median)
			}
		}
	}
	flows = slices.Collect(maps.Values(byPort))
	slices.SortFunc(flows, func(a, b ippm.Flow) int { return cmp.Compare(a.Port, b.Port) })
	return flows, medians
}

// joined is a flow in two parts of a round. Of its seconds and medians nothing is
// known then.
func joined(a, b ippm.Flow) ippm.Flow {
	return ippm.Flow{Port: b.Port, Counts: a.Counts.Plus(b.Counts), Samples: a.Samples + b.Samples, Max: max(a.Max, b.Max)}
}
