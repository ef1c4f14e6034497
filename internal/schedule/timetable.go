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
	// every is the length of the intervals; with cron, of the shortest.
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

// MustEvery is Every for a length that is known to be in range.
func MustEvery(d time.Duration) Timetable {
	t, err := Every(d)
	if err != nil {
		panic(err)
	}
	return t
}

// Cron is the timetable of a standard cron expression of five fields (minute,
// hour, day of month, month, day of week) or a descriptor such as @hourly, in
// UTC. It refuses time zones and @every, and what does not run every day. Spaces
// around the expression say nothing.
func Cron(expression string) (Timetable, error) {
	expression = strings.TrimSpace(expression) // cron would not see a space before "@every"
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
	shortest, err := shortestOfCron(c)
	if err != nil {
		return Timetable{}, fmt.Errorf("cron %q: %w", expression, err)
	}
	return Timetable{every: shortest, cron: c}, nil
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
func (t Timetable) Shortest() time.Duration { return t.every }

// shortestOfCron checks that the expression runs every day, and gives the
// shortest time between two runs. Cron's hours and minutes are the same on every
// day that it runs, so one day and the beginning of the next show all there is.
func shortestOfCron(c cron.Schedule) (time.Duration, error) {
	first := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	if c.Next(first).IsZero() {
		return 0, errors.New("it never runs")
	}
	const leapCycle = 4*365 + 1
	for day := range leapCycle {
		midnight := first.AddDate(0, 0, day)
		if next := c.Next(midnight.Add(-1)); !next.Before(midnight.AddDate(0, 0, 1)) {
			return 0, fmt.Errorf("it does not run on %s; a test runs every day", midnight.Format("January 2"))
		}
	}
	shortest := MaxEvery
	for at := c.Next(first.Add(-1)); at.Before(first.AddDate(0, 0, 1)); {
		next := c.Next(at)
		shortest = min(shortest, next.Sub(at))
		at = next
	}
	return shortest, nil
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
