package ippm

import (
	"fmt"
	"math"
)

// Delay summarises delay samples in microseconds. N = 0 means that nothing was
// measured: no other field means anything then.
type Delay struct {
	N              int
	Min, Max, Mean float64
	// M2 is the sum of squared differences from the mean (Welford), from which
	// the standard deviation comes and which can be merged.
	M2     float64
	Sketch Sketch
}

// Add takes one sample in microseconds. A sample that is not finite is an
// error and changes nothing.
func (d *Delay) Add(us float64) error {
	if err := d.Sketch.Add(us); err != nil {
		return err
	}
	d.N++
	if d.N == 1 {
		d.Min, d.Max, d.Mean, d.M2 = us, us, us, 0
		return nil
	}
	d.Min, d.Max = min(d.Min, us), max(d.Max, us)
	delta := us - d.Mean
	d.Mean += delta / float64(d.N)
	d.M2 += delta * (us - d.Mean)
	return nil
}

// Merged is the summary of the samples of both (Chan, Golub and LeVeque for
// mean and M2).
func (d Delay) Merged(o Delay) Delay {
	if d.N == 0 {
		d, o = o, d
	}
	if o.N == 0 {
		d.Sketch = d.Sketch.Merged(Sketch{}) // a copy: the two must not share samples
		return d
	}
	n := d.N + o.N
	delta := o.Mean - d.Mean
	return Delay{
		N:      n,
		Min:    min(d.Min, o.Min),
		Max:    max(d.Max, o.Max),
		Mean:   d.Mean + delta*float64(o.N)/float64(n),
		M2:     d.M2 + o.M2 + delta*delta*float64(d.N)*float64(o.N)/float64(n),
		Sketch: d.Sketch.Merged(o.Sketch),
	}
}

// StdDev is the standard deviation of the samples (of the population, not an
// estimate from a sample); 0 for a single one.
func (d Delay) StdDev() float64 {
	if d.N == 0 {
		return 0
	}
	return math.Sqrt(d.M2 / float64(d.N))
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
	if d.N == 0 {
		return nil
	}
	for _, v := range []float64{d.Min, d.Max, d.Mean, d.M2} {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("%s has a value that is not finite", what)
		}
	}
	// The mean of equal samples may miss them by a rounding error.
	slack := 1e-9 * (math.Abs(d.Min) + math.Abs(d.Max))
	switch {
	case d.N < 0:
		return fmt.Errorf("%s has a negative number of samples", what)
	case d.M2 < 0:
		return fmt.Errorf("%s has a negative deviation", what)
	case d.Mean < d.Min-slack || d.Mean > d.Max+slack:
		return fmt.Errorf("%s has min %g, mean %g, max %g: not in order", what, d.Min, d.Mean, d.Max)
	case d.Sketch.Count() != d.N:
		return fmt.Errorf("%s has %d samples but a sketch of %d", what, d.N, d.Sketch.Count())
	}
	return nil
}

// DelayText is a delay in microseconds as a person reads it.
func DelayText(us float64) string {
	switch {
	case us < 1000:
		return fmt.Sprintf("%.0f µs", us)
	case us < 100_000:
		return fmt.Sprintf("%.2f ms", us/1000)
	}
	return fmt.Sprintf("%.0f ms", us/1000)
}
