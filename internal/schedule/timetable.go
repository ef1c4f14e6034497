// Package schedule says when a test runs and runs it then. A Timetable divides
// UTC time into intervals; a Scheduler starts a job once in each of them.
//
// It is the one owner of gocron and of the cron syntax. What it promises: jobs
// stay on their grid whatever the run before took, a job never overlaps itself,
// a clock that steps in either direction never stalls a job, and no job is
// given an interval that began before the job was added.
package schedule

import (
	"errors"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// MinEvery and MaxEvery bound the length of an interval.
const (
	MinEvery = time.Second
	MaxEvery = 24 * time.Hour
)

// Timetable divides UTC time into intervals that follow each other without a
// gap. The zero value is not usable; Every and Cron make one.
type Timetable struct {
	every time.Duration
	cron  cron.Schedule
}

// Every is the timetable of intervals of length d, aligned to the Unix epoch.
func Every(d time.Duration) (Timetable, error) {
	if d < MinEvery || d > MaxEvery {
		return Timetable{}, fmt.Errorf("every %v is out of range: %v to %v", d, MinEvery, MaxEvery)
	}
	return Timetable{every: d}, nil
}

// Cron is the timetable of a standard cron expression of five fields (minute,
// hour, day of month, month, day of week) or a descriptor such as @hourly, in
// UTC. It refuses time zones and @every, and what runs less than once a day.
func Cron(expression string) (Timetable, error) {
	if strings.HasPrefix(expression, "CRON_TZ=") || strings.HasPrefix(expression, "TZ=") {
		return Timetable{}, fmt.Errorf("cron %q has a time zone; cron runs in UTC, leave it out", expression)
	}
	if strings.HasPrefix(expression, "@every") {
		return Timetable{}, fmt.Errorf("cron %q: write every: %s instead of cron", expression,
			strings.TrimSpace(strings.TrimPrefix(expression, "@every")))
	}
	c, err := cron.ParseStandard("CRON_TZ=UTC " + expression)
	if err != nil {
		return Timetable{}, fmt.Errorf(`cron %q does not parse (%w); it has five fields, such as "*/5 * * * *"`, expression, err)
	}
	t := Timetable{cron: c}
	if _, longest, err := t.gaps(); err != nil {
		return Timetable{}, fmt.Errorf("cron %q: %w", expression, err)
	} else if longest > MaxEvery {
		return Timetable{}, fmt.Errorf("cron %q leaves %v between two runs; at most %v are possible", expression, longest, MaxEvery)
	}
	return t, nil
}

// Next is the first beginning of an interval after the given time.
func (t Timetable) Next(after time.Time) time.Time {
	if t.cron != nil {
		return t.cron.Next(after.UTC())
	}
	n := after.UnixNano()
	every := int64(t.every)
	floor := n - ((n%every)+every)%every
	return time.Unix(0, floor+every).UTC()
}

// Interval is the interval that the given time lies in.
func (t Timetable) Interval(at time.Time) (start, end time.Time) {
	if t.cron == nil {
		end = t.Next(at)
		return end.Add(-t.every), end
	}
	// A cron expression only tells what comes next: look back until something
	// does come between there and here. Cron refuses gaps beyond MaxEvery.
	for back := 2 * time.Minute; ; back *= 8 {
		start = t.Next(at.Add(-back))
		if start.After(at) {
			continue
		}
		for {
			if end = t.Next(start); end.After(at) {
				return start, end
			}
			start = end
		}
	}
}

// Shortest is the length of the shortest interval of the timetable.
func (t Timetable) Shortest() time.Duration {
	if t.cron == nil {
		return t.every
	}
	shortest, _, _ := t.gaps() // Cron has checked the error
	return shortest
}

// gaps looks over a leap year's start, which holds every pattern that cron
// knows: 100 days of minutes at most are looked at.
func (t Timetable) gaps() (shortest, longest time.Duration, err error) {
	at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	until := at.AddDate(4, 0, 0)
	shortest = until.Sub(at)
	for looked := 0; at.Before(until) && looked < 200_000; looked++ {
		next := t.cron.Next(at)
		if next.IsZero() {
			return 0, 0, errors.New("it never runs")
		}
		if looked > 0 {
			gap := next.Sub(at)
			shortest, longest = min(shortest, gap), max(longest, gap)
		}
		at = next
	}
	return shortest, longest, nil
}

// Spread is a place in [0, slack) that is always the same for the same names.
// Hosts that all act on the full minute would measure, and serve, the traffic
// that they make themselves.
func Spread(slack time.Duration, names ...string) time.Duration {
	h := fnv.New64a()
	for _, name := range names {
		h.Write([]byte(name))
		h.Write([]byte{0})
	}
	const places = 1 << 16
	return slack / places * time.Duration(h.Sum64()%places)
}
