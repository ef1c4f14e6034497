package ping

import (
	"context"
	"sync"
	"time"

	"ixpqos/internal/inventory"
	"ixpqos/internal/ippm"
)

// Round measures pairs side by side, at most inventory.RoundBound at a time,
// with starts spread over one spacing so that no two pings leave together.
type Round struct {
	Source    string
	Test      inventory.Test
	Pairs     []inventory.Pair
	Interface string
	// Names are those of all rounds; those of this one alone where nil.
	Names *Names `json:"-"`
	// Start and Length are the interval that the results are given.
	Start  time.Time
	Length time.Duration
	// Progress, where it is set, is called from many goroutines as pings of
	// Pairs[pair] are sent and answered.
	Progress func(pair, sent, received int) `json:"-"`
}

// Measured is one pair's result. Err says what is wrong: why something could not
// be sent, or what its numbers do not tell.
type Measured struct {
	ippm.Result
	Pair inventory.Pair
	Err  error
}

// Run takes at most Test.RoundTime. Once the context has ended it sends nothing
// more, and returns when what is on its way is answered or lost. The
// error is that of Privileged: nothing was measured at all then.
func (r Round) Run(ctx context.Context) ([]Measured, error) {
	privileged, err := Privileged()
	if err != nil {
		return nil, err
	}
	if r.Names == nil {
		r.Names = new(Names)
	}
	out := make([]Measured, len(r.Pairs))
	places := make(chan struct{}, inventory.RoundBound)
	began := time.Now()
	var all sync.WaitGroup
	for i := range r.Pairs {
		wait(ctx, began.Add(r.Test.Spacing*time.Duration(i)/time.Duration(len(r.Pairs))))
		places <- struct{}{}
		all.Go(func() {
			out[i] = r.measure(ctx, i, privileged)
			<-places
		})
	}
	all.Wait()
	return out, nil
}

func wait(ctx context.Context, until time.Time) {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

func (r Round) measure(ctx context.Context, i int, privileged bool) Measured {
	pair := r.Pairs[i]
	p := pinger{test: r.Test, pair: pair, names: r.Names, iface: r.Interface, privileged: privileged}
	if r.Progress != nil {
		p.progress = func(sent, received int) { r.Progress(i, sent, received) }
	}
	var out outcome
	var err error
	if ctx.Err() == nil {
		out, err = p.run(ctx)
	}
	return Measured{
		Pair: pair,
		Err:  err,
		Result: ippm.Result{
			ID: ippm.ID{
				Series: ippm.Series{Source: r.Source, Target: pair.Target, Test: r.Test.Name, Family: pair.Family, DSCP: r.Test.DSCP},
				Start:  r.Start,
			},
			Kind:   r.Test.Kind,
			Length: r.Length,
			Counts: out.Counts,
			RTT:    out.rtt,
			First:  out.first,
		},
	}
}

// wrong says of all pairs that could not be sent to why not.
func wrong(measured []Measured) (reasons []string) {
	for _, m := range measured {
		if m.Err != nil {
			reasons = append(reasons, m.Err.Error())
		}
	}
	return reasons
}
