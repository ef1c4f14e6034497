package access

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics are what the service tells of itself to Prometheus.
type Metrics struct {
	registry *prometheus.Registry
	results  *prometheus.CounterVec
	files    *prometheus.GaugeVec
	keys     *prometheus.CounterVec
}

// NewMetrics makes metrics that count from zero.
func NewMetrics() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		results: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ixpqos_results_total", Help: "Results that probes posted, by what became of them (stored, rejected, unavailable).",
		}, []string{"outcome"}),
		files: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "ixpqos_file_valid", Help: "1 while a configuration file is valid, 0 while older content is in use because it is not.",
		}, []string{"file"}),
		keys: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ixpqos_keys_rejected_total", Help: "Requests that were refused for their key, by why (missing, unknown, role: it is accepted for something else).",
		}, []string{"reason"}),
	}
	m.registry.MustRegister(m.results, m.files, m.keys,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Stored, Rejected and Unavailable count results: those that are stored, those
// that never will be, and those that the store could not take now.
func (m *Metrics) Stored(n int)      { m.results.WithLabelValues("stored").Add(float64(n)) }
func (m *Metrics) Rejected(n int)    { m.results.WithLabelValues("rejected").Add(float64(n)) }
func (m *Metrics) Unavailable(n int) { m.results.WithLabelValues("unavailable").Add(float64(n)) }

// FileValid says whether a configuration file, as it is now, is valid.
func (m *Metrics) FileValid(file string, valid bool) {
	value := 0.0
	if valid {
		value = 1
	}
	m.files.WithLabelValues(file).Set(value)
}

// ServeMetrics serves /metrics to viewers, and counts there which keys are refused.
func (a *API) ServeMetrics(m *Metrics) {
	a.rejections.metrics = m
	a.describe("/metrics", "What the service tells of itself to Prometheus", viewerSecurity, http.StatusUnauthorized, http.StatusForbidden)
	a.Mux.Handle("GET /metrics", a.Page(promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})))
}
