package access

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics are what the service tells of itself to Prometheus.
type Metrics struct {
	registry  *prometheus.Registry
	results   *prometheus.CounterVec
	inventory prometheus.Gauge
}

// NewMetrics makes metrics that count from zero.
func NewMetrics() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		results: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ixpqos_results_total", Help: "Results that probes posted, by what became of them (stored, rejected, unavailable).",
		}, []string{"outcome"}),
		inventory: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "ixpqos_inventory_valid", Help: "1 while the configuration files are valid, 0 while older content is in use because they are not.",
		}),
	}
	m.inventory.Set(1)
	m.registry.MustRegister(m.results, m.inventory,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Stored, Rejected and Unavailable count results: those that are stored, those
// that never will be, and those that the store could not take now.
func (m *Metrics) Stored(n int)      { m.results.WithLabelValues("stored").Add(float64(n)) }
func (m *Metrics) Rejected(n int)    { m.results.WithLabelValues("rejected").Add(float64(n)) }
func (m *Metrics) Unavailable(n int) { m.results.WithLabelValues("unavailable").Add(float64(n)) }

// InventoryValid says whether the configuration files as they are now are valid.
func (m *Metrics) InventoryValid(valid bool) {
	if valid {
		m.inventory.Set(1)
	} else {
		m.inventory.Set(0)
	}
}

// ServeMetrics serves /metrics to viewers.
func (a *API) ServeMetrics(m *Metrics) {
	a.Mux.Handle("GET /metrics", a.Page(promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})))
}
