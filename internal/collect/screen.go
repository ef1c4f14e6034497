package collect

import (
	"fmt"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"ixpqos/internal/ippm"
	"ixpqos/internal/store"
	"ixpqos/internal/wire"
)

func resultID(r ippm.Result) ippm.ID { return r.ID }

func heardID(h ippm.Heard) ippm.ID { return h.ID }

// postponed are what may be stored later, and why not now.
type postponed struct{ results, heard []wire.Rejected }

// reason is the first one.
func (p postponed) reason() string {
	for _, list := range [][]wire.Rejected{p.results, p.heard} {
		if len(list) > 0 {
			return list[0].Reason
		}
	}
	return ""
}

// objection is why a result is not taken; none where never and later are empty.
type objection struct{ never, later string }

// screen sorts out what cannot be taken from the probe that posted it: for ever,
// which it notes in p, and for now, which it gives.
func (c *Collector) screen(p *wire.Posted) (later postponed) {
	asked := c.asked()
	p.Results, p.ResultsSorted, later.results = sortOut(p.Results, p.ResultsSorted, resultID, func(r ippm.Result) objection {
		if r.Source != p.Probe {
			return objection{never: fmt.Sprintf("source is %q, but probe %q may only report what it measured itself", r.Source, p.Probe)}
		}
		return c.objection(p.Probe, r.ID, r.Kind, asked.asks(r.Target, testKey{r.Test, r.Kind, r.DSCP}))
	})
	p.Heard, p.HeardSorted, later.heard = sortOut(p.Heard, p.HeardSorted, heardID, func(h ippm.Heard) objection {
		if h.Target != p.Probe {
			return objection{never: fmt.Sprintf("target is %q, but probe %q may only report what it heard itself", h.Target, p.Probe)}
		}
		return c.objection(p.Probe, h.ID, "", asked.asks(h.Source, testKey{h.Test, "", h.DSCP}))
	})
	return later
}

func (c *Collector) objection(probe string, id ippm.ID, kind string, asked bool) (o objection) {
	now := c.Now()
	switch {
	case id.Start.Sub(now) > wire.MaxAhead:
		o.later = c.ahead(id.Start)
	case !asked && !c.strangers.admit(probe, id.Series, kind, now):
		o.later = fmt.Sprintf("%q, %q and test %q are not in the inventory together, and %q posted %d such series already within %v: "+
			"look whether its key is in other hands, or whether the inventory lacks something", id.Source, id.Target, id.Test, probe, maxStrangers, strangersFor)
	}
	return o
}

func sortOut[T any](list []T, s wire.Sorted, id func(T) ippm.ID, object func(T) objection) (good []T, _ wire.Sorted, later []wire.Rejected) {
	good, places := list[:0], s.Places[:0]
	for i, posted := range list {
		switch o := object(posted); {
		case o.never != "":
			s.Rejected = append(s.Rejected, wire.Reject(s.Places[i], id(posted), o.never))
		case o.later != "":
			later = append(later, wire.Reject(s.Places[i], id(posted), o.later))
		default:
			good, places = append(good, posted), append(places, s.Places[i])
		}
	}
	s.Places = places
	return good, s, later
}

// placesOf are where in the list stands what the store refused, and why it did.
// What stands there twice is named as often as it was refused. A probe measures
// as the source and hears as the target, so that no ID is in both lists.
func placesOf[T any](list []T, id func(T) ippm.ID, refused []store.Rejected) map[int]string {
	if len(refused) == 0 {
		return nil
	}
	reasons := make(map[ippm.ID][]string, len(refused))
	for _, r := range refused {
		reasons[r.ID] = append(reasons[r.ID], r.Reason)
	}
	places := make(map[int]string, len(refused))
	for i, posted := range list {
		if rest := reasons[id(posted)]; len(rest) > 0 {
			places[i], reasons[id(posted)] = rest[0], rest[1:]
		}
	}
	return places
}

// rejections are all of a posted list in its order, whoever found them wrong.
func rejections[T any](list []T, id func(T) ippm.ID, s wire.Sorted, refused map[int]string) []wire.Rejected {
	all := append([]wire.Rejected{}, s.Rejected...) // not null in JSON
	for i, reason := range refused {
		all = append(all, wire.Reject(s.Places[i], id(list[i]), reason))
	}
	slices.SortFunc(all, func(a, b wire.Rejected) int { return a.Index - b.Index })
	return all
}

// allRejected is a problem that lists everything that was rejected.
func allRejected(answer wire.Answer) error {
	var errs []error
	add := func(list string, rejected []wire.Rejected) {
		for _, r := range rejected {
			errs = append(errs, &huma.ErrorDetail{Message: r.Reason, Location: fmt.Sprintf("body.%s[%d]", list, r.Index)})
		}
	}
	add("results", answer.Rejected)
	add("heard", answer.RejectedHeard)
	return huma.Error422UnprocessableEntity(fmt.Sprintf("all %d results were rejected", len(errs)), errs...)
}
