package ippm

import (
	"fmt"
	"math"
)

// maxDelay is three centuries in microseconds: two clocks are not further apart.
const maxDelay = 1e16

// Moments summarises samples in microseconds by what can be merged exactly. N =
// 0 means that nothing was measured: no other field means anything then.
type Moments struct {
	N              int
	Min, Max, Mean float64
	// M2 is the sum of squared differences from the mean (Welford), from which
	// the standard deviation comes and which can be merged.
	M2 float64
}

// Add takes one sample in microseconds. A sample that is not finite is an
// error and changes nothing.
func (m *Moments) Add(us float64) error {
	if math.IsNaN(us) || math.IsInf(us, 0) {
		return fmt.Errorf("%g is no delay", us)
	}
	m.add(us)
	return nil
}

func (m *Moments) add(us float64) {
	m.N++
	if m.N == 1 {
		m.Min, m.Max, m.Mean, m.M2 = us, us, us, 0
		return
	}
	m.Min, m.Max = min(m.Min, us), max(m.Max, us)
	delta := us - m.Mean
	m.Mean += delta / float64(m.N)
	m.M2 += delta * (us - m.Mean)
}

// Merged is the summary of the samples of both (Chan, Golub and LeVeque for
// mean and M2).
func (m Moments) Merged(o Moments) Moments {
	if m.N == 0 {
		return o
	}
	if o.N == 0 {
		return m
	}
	n := m.N + o.N
	delta := o.Mean - m.Mean
	return Moments{
		N:    n,
		Min:  min(m.Min, o.Min),
		Max:  max(m.Max, o.Max),
		Mean: m.Mean + delta*float64(o.N)/float64(n),
		M2:   m.M2 + o.M2 + delta*delta*float64(m.N)*float64(o.N)/float64(n),
	}
}

// StdDev is the standard deviation of the samples (of the population, not an
// estimate from a sample); 0 for a single one.
func (m Moments) StdDev() float64 {
	if m.N == 0 {
		return 0
	}
	return math.Sqrt(m.M2 / float64(m.N))
}

func (m Moments) check(what string) error {
	if m.N == 0 {
		return nil
	}
	for _, v := range []float64{m.Min, m.Max, m.Mean, m.M2} {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("%s has a value that is not finite", what)
		}
	}
	if m.Min < -maxDelay || m.Max > maxDelay || m.StdDev() > 2*maxDelay {
		return fmt.Errorf("%s has a value beyond all clocks: %g to %g us", what, m.Min, m.Max)
	}
	// The mean of equal samples may miss them by a rounding error.
	slack := 1e-9 * (math.Abs(m.Min) + math.Abs(m.Max))
	switch {
	case m.N < 0:
		return fmt.Errorf("%s has a negative number of samples", what)
	case m.M2 < 0:
		return fmt.Errorf("%s has a negative deviation", what)
	case m.Mean < m.Min-slack || m.Mean > m.Max+slack:
		return fmt.Errorf("%s has min %g, mean %g, max %g: not in order", what, m.Min, m.Mean, m.Max)
	}
	return nil
}

// Delay is Moments with a sketch, for delays whose percentiles are asked for.
type Delay struct {
	Moments
	Sketch Sketch
}

// Add takes one sample in microseconds. A sample that is not finite is an
// error and changes nothing.
func (d *Delay) Add(us float64) error {
	if err := d.Sketch.Add(us); err != nil {
		return err
	}
	d.add(us)
	return nil
}

// Merged is the summary of the samples of both, which it shares with neither.
func (d Delay) Merged(o Delay) Delay {
	return Delay{Moments: d.Moments.Merged(o.Moments), Sketch: d.Sketch.Merged(o.Sketch)}
}

// M2FromStdDev gives back M2 from a standard deviation and a number of samples.
func M2FromStdDev(stddev float64, n int) float64 { return stddev * stddev * float64(n) }

// Quantile comes from the sketch and never leaves [Min, Max]; false where
// nothing was measured.
func (d Delay) Quantile(q float64) (us float64, ok bool) {
	us, ok = d.Sketch.Quantile(q)
	return min(max(us, d.Min), d.Max), ok
}

func (d Delay) check(what string) error {
	if err := d.Moments.check(what); err != nil {
		return err
	}
	if d.N > 0 && d.Sketch.Count() != d.N {
		return fmt.Errorf("%s has %d samples but a sketch of %d", what, d.N, d.Sketch.Count())
	}
	if d.N > 0 {
		return d.checkSketch(what)
	}
	return nil
}

// checkSketch holds the sketch against the least and the largest sample, which
// are exact: one that does not fit was not made of these samples.
func (d Delay) checkSketch(what string) error {
	least, most, collapsed := d.Sketch.bounds()
	if !collapsed && !near(least, d.Min) || !near(most, d.Max) {
		return fmt.Errorf("%s has min %g and max %g, but a sketch from %g to %g", what, d.Min, d.Max, least, most)
	}
	return nil
}

// near tells whether a sketch's bound fits the exact one. A bin more on each side
// is for who rounds, such as to nanoseconds, after counting.
func near(bound, exact float64) bool {
	return math.Abs(bound-exact) <= 3*SketchAccuracy*math.Abs(exact)+0.002
}

// DelayText is a delay in microseconds as a person reads it.
func DelayText(us float64) string {
	switch {
	case us < 9.95:
		return fmt.Sprintf("%.1f µs", us)
	case us < 999.5:
		return fmt.Sprintf("%.0f µs", us)
	case us < 99_995:
		return fmt.Sprintf("%.2f ms", us/1000)
	}
	return fmt.Sprintf("%.0f ms", us/1000)
}
