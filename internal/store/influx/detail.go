package influx

import "ixpqos/internal/ippm"

// The fields of a detail, which stand in qos.
var (
	plainCounts = []countField{
		{"remarked_forward", func(d *ippm.Detail) *int { return &d.RemarkedForward }},
		{"remarked_backward", func(d *ippm.Detail) *int { return &d.RemarkedBackward }},
		{"low_ttl", func(d *ippm.Detail) *int { return &d.LowTTL }},
		{"kernel_t1", func(d *ippm.Detail) *int { return &d.KernelT1 }},
		{"kernel_t2", func(d *ippm.Detail) *int { return &d.KernelT2 }},
		{"kernel_t3", func(d *ippm.Detail) *int { return &d.KernelT3 }},
		{"kernel_t4", func(d *ippm.Detail) *int { return &d.KernelT4 }},
	}
	summaries = []summary{
		newSummary("ipdv_forward", func(d *ippm.Detail) *ippm.Moments { return &d.IPDVForward }),
		newSummary("ipdv_backward", func(d *ippm.Detail) *ippm.Moments { return &d.IPDVBackward }),
		newSummary("one_way_forward", func(d *ippm.Detail) *ippm.Moments { return &d.OneWayForward.Moments }),
		newSummary("one_way_backward", func(d *ippm.Detail) *ippm.Moments { return &d.OneWayBackward.Moments }),
	}
	oneWays = []oneWay{
		{"one_way_forward_error_us", func(d *ippm.Detail) *ippm.OneWay { return &d.OneWayForward }},
		{"one_way_backward_error_us", func(d *ippm.Detail) *ippm.OneWay { return &d.OneWayBackward }},
	}
	// By name, for who reads.
	detailCounts, detailFigures = countsByName(), figuresByName()
)

type countField struct {
	name string
	of   func(*ippm.Detail) *int
}

// oneWay is what one-way delays have beside their summary.
type oneWay struct {
	errorName string
	of        func(*ippm.Detail) *ippm.OneWay
}

// summary are the names of the fields of Moments.
type summary struct {
	n, min, mean, max, stddev string
	of                        func(*ippm.Detail) *ippm.Moments
}

func newSummary(of string, moments func(*ippm.Detail) *ippm.Moments) summary {
	return summary{of + "_n", of + "_min_us", of + "_mean_us", of + "_max_us", of + "_stddev_us", moments}
}

// detail adds the fields of a detail. What was not measured is no field, but an N of 0.
func (l *lines) detail(d *ippm.Detail) {
	for _, c := range plainCounts {
		l.integer(c.name, int64(*c.of(d)))
	}
	for _, s := range summaries {
		m := s.of(d)
		l.integer(s.n, int64(m.N))
		if m.N > 0 {
			l.float(s.min, m.Min)
			l.float(s.mean, m.Mean)
			l.float(s.max, m.Max)
			l.float(s.stddev, m.StdDev())
		}
	}
	for _, o := range oneWays {
		if w := o.of(d); w.N > 0 {
			l.float(o.errorName, w.Error)
		}
	}
}

func countsByName() map[string]func(*ippm.Detail) *int {
	all := map[string]func(*ippm.Detail) *int{}
	for _, c := range plainCounts {
		all[c.name] = c.of
	}
	for _, s := range summaries {
		all[s.n] = func(d *ippm.Detail) *int { return &s.of(d).N }
	}
	return all
}

func figuresByName() map[string]func(*ippm.Detail) *float64 {
	all := map[string]func(*ippm.Detail) *float64{}
	for _, s := range summaries {
		all[s.min] = func(d *ippm.Detail) *float64 { return &s.of(d).Min }
		all[s.mean] = func(d *ippm.Detail) *float64 { return &s.of(d).Mean }
		all[s.max] = func(d *ippm.Detail) *float64 { return &s.of(d).Max }
		all[s.stddev] = func(d *ippm.Detail) *float64 { return &s.of(d).M2 }
	}
	for _, o := range oneWays {
		all[o.errorName] = func(d *ippm.Detail) *float64 { return &o.of(d).Error }
	}
	return all
}

// finished is the detail of which all fields are in. Values where N is 0 are of an
// older writing.
func finished(d ippm.Detail) *ippm.Detail {
	for _, o := range oneWays {
		if w := o.of(&d); w.N == 0 {
			*w = ippm.OneWay{}
		}
	}
	for _, s := range summaries {
		m := s.of(&d)
		if m.N == 0 {
			*m = ippm.Moments{}
			continue
		}
		m.M2 = ippm.M2FromStdDev(m.M2, m.N)
	}
	return &d
}
