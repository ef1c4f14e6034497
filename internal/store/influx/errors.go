package influx

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	api "github.com/influxdata/influxdb-client-go/v2/api/http"

	"ixpqos/internal/store"
)

// explain turns an error of a request into one that says what was tried, where,
// and what to do, and that is a store.ErrUnavailable where its cause can go away.
func (s *Store) explain(tried string, err error) error { return explain(tried, s.name, err) }

func explain(tried, where string, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, errSlow) {
		return fmt.Errorf("%s: InfluxDB at %s: %w", tried, where, err)
	}
	if hint := transient(err); hint != "" {
		return fmt.Errorf("%s: InfluxDB at %s: %w: %s: %w", tried, where, unavailable(err), hint, err)
	}
	return fmt.Errorf("%s: InfluxDB at %s: %w", tried, where, err)
}

// explainInit is explain for init itself, to which the advice to run it is none.
func explainInit(tried, where string, err error) error {
	var e *api.Error
	if !errors.As(err, &e) {
		return explain(tried, where, err)
	}
	hint := "the token must be an operator's, which `influx setup` made (`influx auth list` shows it): set INFLUX_TOKEN or INFLUX_TOKEN_FILE to that"
	switch {
	case missing(e):
		hint = "the organisation must be there before init, and the token must be an operator's: check its name (INFLUX_ORG; `influx org list` shows them)"
	case e.StatusCode != http.StatusUnauthorized && e.StatusCode != http.StatusForbidden:
		return explain(tried, where, err)
	}
	return fmt.Errorf("%s: InfluxDB at %s: %w: %s: %w", tried, where, unavailable(err), hint, err)
}

// unavailable is a store.ErrUnavailable, a store.Passing where InfluxDB was not
// reached, or cannot take more just now.
func unavailable(err error) error {
	var e *api.Error
	if errors.Is(err, errSlow) || errors.As(err, new(stranger)) || !errors.As(err, &e) || !passes(e.StatusCode) {
		return store.ErrUnavailable
	}
	return store.Passing{After: time.Duration(e.RetryAfter) * time.Second}
}

// passes says so of a status, which is 0 where InfluxDB was not reached.
func passes(status int) bool {
	return status == 0 || status == http.StatusTooManyRequests || status >= 500
}

// errSlow is a request that took longer than the Store lets one take.
var errSlow = errors.New("no answer in time")

// transient says what to do about an error whose cause can go away, and nothing
// about another.
func transient(err error) string {
	if errors.Is(err, errSlow) {
		return "it does not answer: look whether it hangs or is overloaded"
	}
	if errors.As(err, new(stranger)) {
		return "this is no InfluxDB: check its address (INFLUX_URL)"
	}
	var bad badAnswer
	var e *api.Error
	if errors.As(err, &bad) || !errors.As(err, &e) {
		return ""
	}
	switch {
	case e.StatusCode == 0:
		return "it cannot be reached: start it, or check the address"
	case e.StatusCode == http.StatusUnauthorized:
		return "it does not know the token: check it (ixpqos-server init makes new ones)"
	case e.StatusCode == http.StatusForbidden:
		return "the token does not allow it: take the one that ixpqos-server init printed for this use"
	case missing(e):
		return "the organisation or bucket is missing, or the token does not allow it: check their names, run ixpqos-server init, or take the token that it printed for this use"
	case e.StatusCode == http.StatusTooManyRequests || e.StatusCode >= 500:
		return "it cannot take more now: wait, or give it more"
	}
	return ""
}

// missing says whether there is no such organisation or bucket. A query that
// names another organisation is a bad request.
func missing(e *api.Error) bool {
	return e.StatusCode == http.StatusNotFound ||
		e.StatusCode == http.StatusBadRequest && strings.Contains(e.Message, "organization name")
}
