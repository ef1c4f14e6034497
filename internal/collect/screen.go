package collect

import (
	"fmt"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"ixpqos/internal/ippm"
	"ixpqos/internal/store"
	"ixpqos/internal/wire"
)

func resultID(r ippm.Result) ippm.ID { return r.ID }

func heardID(h ippm.Heard) ippm.ID { return h.ID }

// screen sorts out what cannot be taken from the probe that posted it.
func (c *Collector) screen(p *wire.Posted) {
	p.Results, p.ResultsSorted = sortOut(p.Results, p.ResultsSorted, resultID, func(r ippm.Result) string {
		if r.Source != p.Probe {
			return fmt.Sprintf("source is %q, but probe %q may only report what it measured itself", r.Source, p.Probe)
		}
		return c.objection("target", r.Target, r.Start)
	})
	p.Heard, p.HeardSorted = sortOut(p.Heard, p.HeardSorted, heardID, func(h ippm.Heard) string {
		if h.Target != p.Probe {
			return fmt.Sprintf("target is %q, but probe %q may only report what it heard itself", h.Target, p.Probe)
		}
		return c.objection("source", h.Source, h.Start)
	})
}

// objection is empty where there is none.
func (c *Collector) objection(end, name string, start time.Time) string {
	switch {
	case !c.everKnew(name):
		return fmt.Sprintf("%s %q is not in the inventory", end, name)
	case start.Sub(c.Now()) > wire.MaxAhead:
		return c.ahead(start)
	}
	return ""
}

func sortOut[T any](list []T, s wire.Sorted, id func(T) ippm.ID, objection func(T) string) ([]T, wire.Sorted) {
	good, places := list[:0], s.Places[:0]
	for i, posted := range list {
		if reason := objection(posted); reason != "" {
			s.Rejected = append(s.Rejected, wire.Reject(s.Places[i], id(posted), reason))
			continue
		}
		good, places = append(good, posted), append(places, s.Places[i])
	}
	s.Places = places
	return good, s
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
